/**
 * Profile `safe`, when a script is checked: follows its values (values/interpreter.ts) and turns every key that its
 * commands may get into a condition for the calls, unless the verdict is the same for all calls.
 *
 *     right whatever the call     KEYS[n] as it is
 *     unproven whatever the call  a reply, a decoded ARGV, a command whose name is not known
 *     a condition                 KEYS[1] .. ':x', '{a}:b', ARGV[2]
 */
import type { Command, CommandTable } from '../command/table.ts';
import { type CallNode, type Chunk, startOf } from './ast.ts';
import { lookUp } from './call-site.ts';
import type { Condition, Conditions } from './conditions.ts';
import { type KeySet, keySetsOf } from './key-sets.ts';
import type { Finding } from './report.ts';
import { keyFinding } from './rules/key-slot.ts';
import type { Source } from './source.ts';
import { interpret } from './values/interpreter.ts';
import type { CallSink } from './values/run.ts';
import { elementText, literalOf, type Template } from './values/template.ts';
import { certainLiteral, templatesOf, type ValueList, valueAt } from './values/value.ts';

export interface KeyReport {
  /** Whatever the call, the conditions left aside. */
  readonly keys: 'proven' | 'unproven';
  readonly conditions: Conditions | undefined;
  readonly hints: readonly Finding[];
}

/** More than any real script has; what comes behind them is unproven. */
const MAX_CONDITIONS = 256;
/** Of all of them together, because they are kept as long as the script; the largest known script has 333. */
const MAX_CONDITION_CHARS = 8192;

/** Judges the keys of a script as far as they are the same for all calls. */
export function judgeKeys(chunk: Chunk, source: Source, table: CommandTable): KeyReport {
  const collector = new Collector(source, table);
  const isComplete = interpret(chunk, collector);
  return collector.report(isComplete);
}

interface Placed<T> {
  readonly start: number;
  readonly what: T;
}

class Collector implements CallSink {
  readonly #source: Source;
  readonly #table: CommandTable;
  readonly #conditions: Placed<Condition>[] = [];
  readonly #hints: Placed<Finding>[] = [];
  readonly #seen = new Set<string>();
  readonly #commands = new Map<string, Command | undefined>();
  #isRestProven = true;
  #conditionChars = 0;

  constructor(source: Source, table: CommandTable) {
    this.#source = source;
    this.#table = table;
  }

  report(isComplete: boolean): KeyReport {
    const inOrder = <T>(all: readonly Placed<T>[]) => all.toSorted((a, b) => a.start - b.start).map((one) => one.what);
    const isRestProven = this.#isRestProven && isComplete;
    const list = withoutRepeats(inOrder(this.#conditions));
    return {
      keys: isRestProven ? 'proven' : 'unproven',
      conditions: list.length === 0 ? undefined : { list, isRestProven, table: this.#table },
      hints: inOrder(this.#hints),
    };
  }

  onCommand(node: CallNode, args: ValueList): void {
    const start = startOf(node);
    const names = namesOf(args);
    const isFromArgv = names.some((name) => literalOf(name) === undefined);
    if (isFromArgv) this.#commandFromArgv(names, args, start);
    else for (const set of this.#keySets(names, args, start)) this.#key(set, start);
  }

  /** The keys under each of the names that the command may have. */
  #keySets(names: readonly Template[], args: ValueList, start: number): readonly KeySet[] {
    const all = names.map((name) => this.#keysOf(literalOf(name) ?? '', args, start));
    const signatures = new Set(all.map((sets) => sets.map(signatureOf).join(' ')));
    if (signatures.size <= 1) return all[0] ?? [];
    return all.flat().map((set) => ({ ...set, isCertain: false }));
  }

  #keysOf(name: string, args: ValueList, start: number): readonly KeySet[] {
    const command = this.#commandNamed(name, args);
    if (command === undefined || (command.subcommands !== undefined && mayHaveKeys(command))) {
      this.#isRestProven = false;
      return [];
    }
    if (!command.hasKeys) return [];
    if (args.tail?.argvFrom !== undefined) {
      this.#command(args, start);
      return [];
    }
    const sets = keySetsOf(command.spec, args);
    if (sets === undefined) this.#isRestProven = false;
    return sets ?? [];
  }

  #commandNamed(name: string, args: ValueList): Command | undefined {
    const command = this.#commands.get(name) ?? lookUp(this.#table, name);
    this.#commands.set(name, command);
    if (command?.subcommands === undefined) return command;
    return lookUp(command.subcommands, certainLiteral(args.values[1])) ?? command;
  }

  #commandFromArgv(names: readonly Template[], args: ValueList, start: number): void {
    const [only, ...others] = names;
    const isOneArgument = only !== undefined && others.length === 0 && isElement(only);
    const isTailKnown = args.tail === undefined || args.tail.argvFrom !== undefined;
    if (isOneArgument && isTailKnown) this.#command(args, start);
    else this.#isRestProven = false;
  }

  #command({ values, tail }: ValueList, start: number): void {
    const argvFrom = tail?.argvFrom;
    const args = values.map(templatesOf);
    const key = `${start}!${args.map(signaturesOf).join('|')}|${argvFrom ?? ''}`;
    if (!this.#isNew(key)) return;
    const literal = certainLiteral(values[0]);
    const name = literal === undefined ? undefined : Buffer.from(literal, 'latin1');
    const finding = keyFinding(args.flat(), start, this.#source);
    this.#add(start, { kind: 'command', name, args, argvFrom, finding });
    this.#hint(start, { ...finding, severity: 'note' });
  }

  #key({ value, isCertain }: KeySet, start: number): void {
    const templates = templatesOf(value);
    if (templates.every(isDeclaredKey) || !this.#isNew(`${start}?${signaturesOf(templates)}${isCertain}`)) return;
    const finding = keyFinding(templates, start, this.#source);
    this.#hint(start, finding);
    if (templates.some(isNeverJudged)) this.#isRestProven = false;
    else this.#add(start, { kind: 'key', templates, canRefuse: isCertain, finding });
  }

  /** Loops and calls of functions meet the same site with the same values again and again. */
  #isNew(key: string): boolean {
    const isNew = !this.#seen.has(key);
    this.#seen.add(key);
    return isNew;
  }

  #add(start: number, condition: Condition): void {
    this.#conditionChars += charsOf(condition);
    const hasRoom = this.#conditions.length < MAX_CONDITIONS && this.#conditionChars <= MAX_CONDITION_CHARS;
    if (hasRoom) this.#conditions.push({ start, what: condition });
    else this.#isRestProven = false;
  }

  #hint(start: number, finding: Finding): void {
    if (this.#isNew(`${start} ${finding.severity} ${finding.text}`)) this.#hints.push({ start, what: finding });
  }
}

/** What the command's name may be; `redis.call(unpack(ARGV))` takes it from ARGV. */
function namesOf(args: ValueList): readonly Template[] {
  if (args.values.length > 0) return templatesOf(valueAt(args, 0));
  const from = args.tail?.argvFrom;
  return from === undefined ? templatesOf(valueAt(args, 0)) : [elementText('arg', from)];
}

function mayHaveKeys(container: Command): boolean {
  return container.hasKeys || container.subcommands?.commands.some((subcommand) => subcommand.hasKeys) === true;
}

/** One element of ARGV. */
function isElement({ parts, isOpen }: Template): boolean {
  const [only, ...others] = parts;
  return !isOpen && only?.kind === 'arg' && !only.isRest && others.length === 0;
}

/** `KEYS[n]`, as it is. */
function isDeclaredKey({ parts, isOpen }: Template): boolean {
  return !isOpen && parts.length === 1 && parts[0]?.kind === 'key';
}

/** No call can make it right or wrong: what is known of it begins with no key and holds no hash tag. */
function isNeverJudged({ parts, isOpen }: Template): boolean {
  if (!isOpen || parts[0]?.kind === 'key') return false;
  return parts.every((part) => part.kind === 'literal' && !part.text.includes('{'));
}

function signatureOf({ value, isCertain }: KeySet): string {
  return `${signaturesOf(templatesOf(value))}${isCertain}`;
}

function signaturesOf(templates: readonly Template[]): string {
  return templates.map((template) => template.signature).join(',');
}

function charsOf(condition: Condition): number {
  const templates = condition.kind === 'key' ? condition.templates : condition.args.flat();
  return templates.reduce((sum, { signature }) => sum + signature.length, 0);
}

/** Without the conditions that an earlier place makes too. */
function withoutRepeats(conditions: readonly Condition[]): Condition[] {
  const seen = new Set<string>();
  return conditions.filter((condition) => {
    if (condition.kind === 'command') return true;
    const key = `${signaturesOf(condition.templates)}${condition.canRefuse}`;
    return !seen.has(key) && seen.add(key).size > 0;
  });
}
