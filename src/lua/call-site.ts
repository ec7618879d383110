/**
 * One place in a script where redis.call or redis.pcall is called, with what its text tells: the command, when its
 * name is a literal, and the arguments as far as they are literals.
 */
import type { Command, CommandTable } from '../command/table.ts';
import type { Arguments } from '../resp/bytes.ts';
import { parseIntegerAt } from '../resp/bytes.ts';
import type { Expression } from './ast.ts';
import { stringOf } from './string-literal.ts';

export interface CallSite {
  /** Index of the first byte of `redis.call` (or of the alias). */
  readonly start: number;
  /** `redis.call(…)`, `redis.call'…'`, `redis.call{…}` */
  readonly form: 'parentheses' | 'string' | 'table';
  /** The command's name included. */
  readonly args: readonly Expression[];
  /** Called through a local: `local rcall = redis.call`. */
  readonly isAlias: boolean;
  /** The nearest call site within whose parentheses this one stands. */
  readonly parent: CallSite | undefined;
  /** The command's name as it is written, when it is a literal. */
  readonly name: string | undefined;
  /** The command, or its subcommand when that is a literal too; undefined when unknown or not a literal. */
  readonly command: Command | undefined;
}

/** The command that a literal name and literal subcommand name; a container whose subcommand is not known stays itself. */
export function commandOf(args: readonly Expression[], table: CommandTable): Command | undefined {
  const command = lookUp(table, stringOf(args[0]));
  if (command?.subcommands === undefined) return command;
  return lookUp(command.subcommands, stringOf(args[1])) ?? command;
}

/** Whether it cannot be told which command runs: a container without a literal, known subcommand. */
export function isOpenContainer(command: Command): boolean {
  return command.subcommands !== undefined;
}

/** By the bytes of the name, so that `config|set` is no command. */
export function lookUp(table: CommandTable, name: string | undefined): Command | undefined {
  if (name === undefined) return undefined;
  const bytes = Buffer.from(name, 'latin1');
  return table.find(bytes, 0, bytes.length);
}

/** The view of a call site that finds key positions: what is not a literal is not known. */
export class SiteArguments implements Arguments {
  readonly #args: readonly Expression[];

  constructor(args: readonly Expression[]) {
    this.#args = args;
  }

  get argc(): number {
    return this.#args.length;
  }

  isWord(index: number, lowerCaseWord: string): boolean {
    return stringOf(this.#args[index])?.toLowerCase() === lowerCaseWord;
  }

  integerAt(index: number): number {
    return integerOf(this.#args[index]);
  }
}

/** The integer of `2`, `-1` or `'2'`; NaN when the expression is none of these, or no integer. */
export function integerOf(expression: Expression | undefined): number {
  if (expression?.type === 'UnaryExpression' && expression.operator === '-') {
    return expression.argument.type === 'NumericLiteral' ? 0 - integerOf(expression.argument) : Number.NaN;
  }
  if (expression?.type === 'NumericLiteral') {
    return Number.isSafeInteger(expression.value) ? expression.value : Number.NaN;
  }
  const text = stringOf(expression);
  if (text === undefined) return Number.NaN;
  const bytes = Buffer.from(text, 'latin1');
  return parseIntegerAt(bytes, 0, bytes.length);
}

/** Whether the expression is exactly `KEYS[<number>]`: the check is about the text, not about values. */
export function isKeysElement(expression: Expression | undefined): boolean {
  return (
    expression?.type === 'IndexExpression' &&
    expression.base.type === 'Identifier' &&
    expression.base.name === 'KEYS' &&
    expression.index.type === 'NumericLiteral'
  );
}
