/**
 * Profile `safe`, at a call: the script's conditions against the KEYS and ARGV that came. Runs for every EVAL and
 * EVALSHA of a script that has conditions, so it makes next to no garbage.
 *
 * A string is
 *     right   a declared key as it is; in the call's slot; or its hash tag is, and stands before anything unknown
 *     wrong   in another slot, by its hash tag or as a whole; or a KEYS part with something unknown behind and no tag
 *     open    anything else
 * and a key that may be several strings is refused if all of them are wrong and proven if all are right.
 */
import { KeyPositions, keyPositions } from '../command/key-positions.ts';
import type { Command, CommandTable } from '../command/table.ts';
import { type Arguments, isWordAt, parseIntegerAt } from '../resp/bytes.ts';
import type { CommandCondition, Condition, Conditions } from './conditions.ts';
import { type CallArguments, type Judgement, TemplateJudge } from './judge-template.ts';
import type { Finding } from './report.ts';
import { keyText } from './rules/key-slot.ts';
import { literalOf, type Template } from './values/template.ts';

export type CallVerdict =
  | { readonly kind: 'proven' }
  | { readonly kind: 'unproven' }
  | { readonly kind: 'refused'; readonly finding: Finding };

const PROVEN: CallVerdict = { kind: 'proven' };
const UNPROVEN: CallVerdict = { kind: 'unproven' };

const NO_CALL: CallArguments = {
  bytes: new Uint8Array(0),
  slot: 0,
  keyCount: 0,
  keyStart: () => 0,
  keyEnd: () => 0,
  argvCount: 0,
  argvStart: () => 0,
  argvEnd: () => 0,
};

const judge = new TemplateJudge(NO_CALL);
const positions = new KeyPositions();

/** Judges a call whose keys are all in one slot. Never throws; the call is borrowed until it returns. */
export function judgeCall(conditions: Conditions, call: CallArguments): CallVerdict {
  if (call.keyCount === 0) return UNPROVEN;
  judge.call = call;
  let isProven = conditions.isRestProven;
  for (const condition of conditions.list) {
    const judgement = condition.kind === 'key' ? judgeKey(condition) : judgeCommand(condition, call, conditions.table);
    if (judgement === 'wrong') return refusal(condition, call, conditions.table);
    if (judgement === 'open') isProven = false;
  }
  return isProven ? PROVEN : UNPROVEN;
}

function judgeKey({ templates, canRefuse }: Extract<Condition, { kind: 'key' }>): Judgement {
  const judgement = judge.judgeAny(templates);
  return judgement === 'wrong' && !canRefuse ? 'open' : judgement;
}

function judgeCommand(condition: CommandCondition, call: CallArguments, table: CommandTable): Judgement {
  const args = new CallView(condition, call);
  const command = args.command(table);
  if (command === undefined) return 'open';
  const fits = keyPositions(command.spec, args, positions);
  let isOpen = !fits || args.wasUnsure;
  for (let i = 0; i < positions.count; i++) {
    const judgement = args.judgeKeyAt(positions.at(i));
    if (judgement === 'wrong') return 'wrong';
    if (judgement === 'open') isOpen = true;
  }
  return isOpen ? 'open' : 'right';
}

function refusal(condition: Condition, call: CallArguments, table: CommandTable): CallVerdict {
  const { finding } = condition;
  const templates = condition.kind === 'key' ? condition.templates : wrongKeyOf(condition, call, table);
  return { kind: 'refused', finding: { ...finding, severity: 'error', text: keyText(templates, finding.line) } };
}

/** What the first wrong key of a command is made of. */
function wrongKeyOf(condition: CommandCondition, call: CallArguments, table: CommandTable): readonly Template[] {
  const args = new CallView(condition, call);
  const command = args.command(table);
  if (command !== undefined) keyPositions(command.spec, args, positions);
  for (let i = 0; i < positions.count; i++) {
    if (args.judgeKeyAt(positions.at(i)) === 'wrong') return condition.args[positions.at(i)] ?? [];
  }
  return [];
}

/** The arguments of a command as this call makes them known. */
class CallView implements Arguments {
  readonly #condition: CommandCondition;
  readonly #call: CallArguments;
  /** A word was looked for in an argument that may be anything. */
  wasUnsure = false;

  constructor(condition: CommandCondition, call: CallArguments) {
    this.#condition = condition;
    this.#call = call;
  }

  get argc(): number {
    const { args, argvFrom } = this.#condition;
    const tailCount = argvFrom === undefined ? 0 : this.#call.argvCount - argvFrom + 1;
    return args.length + Math.max(0, tailCount);
  }

  /** The command, or subcommand, that this call runs; undefined when that cannot be told. */
  command(table: CommandTable): Command | undefined {
    const command = this.#find(table, 0);
    return command?.subcommands === undefined ? command : this.#find(command.subcommands, 1);
  }

  judgeKeyAt(index: number): Judgement {
    const templates = this.#condition.args[index];
    return templates === undefined ? judge.judgeArgument(this.#argvIndexOf(index)) : judge.judgeAny(templates);
  }

  isWord(index: number, lowerCaseWord: string): boolean {
    const literal = this.#literalAt(index);
    if (literal !== undefined) return literal.toLowerCase() === lowerCaseWord;
    const argv = this.#argvIndexOf(index);
    if (argv < 0) this.wasUnsure = true;
    if (argv < 0 || argv >= this.#call.argvCount) return false;
    return isWordAt(this.#call.bytes, this.#call.argvStart(argv), this.#call.argvEnd(argv), lowerCaseWord);
  }

  integerAt(index: number): number {
    const literal = this.#literalAt(index);
    if (literal !== undefined) return /^-?\d{1,15}$/.test(literal) ? Number(literal) : Number.NaN;
    const argv = this.#argvIndexOf(index);
    if (argv < 0 || argv >= this.#call.argvCount) return Number.NaN;
    return parseIntegerAt(this.#call.bytes, this.#call.argvStart(argv), this.#call.argvEnd(argv));
  }

  #find(table: CommandTable, index: number): Command | undefined {
    const literal = this.#literalAt(index);
    if (literal !== undefined) {
      const name = (index === 0 ? this.#condition.name : undefined) ?? Buffer.from(literal, 'latin1');
      return table.find(name, 0, name.length);
    }
    const argv = this.#argvIndexOf(index);
    if (argv < 0 || argv >= this.#call.argvCount) return undefined;
    return table.find(this.#call.bytes, this.#call.argvStart(argv), this.#call.argvEnd(argv));
  }

  #literalAt(index: number): string | undefined {
    const [only, ...others] = this.#condition.args[index] ?? [];
    return only === undefined || others.length > 0 ? undefined : literalOf(only);
  }

  /** Which element of ARGV the argument is, from 0; negative when it is none. */
  #argvIndexOf(index: number): number {
    const { args, argvFrom } = this.#condition;
    const templates = args[index];
    if (templates === undefined) return argvFrom === undefined ? -1 : argvFrom - 1 + index - args.length;
    const part = templates.length === 1 && templates[0]?.isOpen === false ? templates[0].parts : [];
    return part.length === 1 && part[0]?.kind === 'arg' && !part[0].isRest ? part[0].index - 1 : -1;
  }
}
