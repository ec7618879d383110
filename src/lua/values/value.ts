/**
 * What is known of a Lua value: the set of what it may be. A set may be too large, never too small: then every verdict
 * drawn from it holds for the run that really happens.
 */
import type { CallNode, FunctionNode } from '../ast.ts';
import type { Environment } from './memory.ts';
import type { Frame } from './run.ts';
import type { TableValue } from './table-value.ts';
import { concatenation, literalOf, literalText, type Template, UNKNOWN_TEXT } from './template.ts';

/** A string or number; without parts and open it stands for any value at all. */
export interface TextValue {
  readonly kind: 'text';
  readonly template: Template;
  /** A literal number: an index, not a field's name. */
  readonly number: number | undefined;
}

export interface FunctionValue {
  readonly kind: 'function';
  readonly node: FunctionNode;
  readonly environment: Environment;
  /** Where it was made: the same node makes another function in every call of the function around it. */
  readonly frame: Frame;
}

/** A function of Lua's or Redis's own, by its full name: `redis.call`, `string.format`, `ipairs`. */
export interface NativeValue {
  readonly kind: 'native';
  readonly name: string;
}

/** What ipairs and pairs give to a `for`. */
export interface IteratorValue {
  readonly kind: 'iterator';
  readonly keys: Value;
  readonly elements: Value;
}

/** nil, true, false: whatever they are, no key. */
export interface NothingValue {
  readonly kind: 'nothing';
}

export type Possibility = TextValue | FunctionValue | NativeValue | IteratorValue | NothingValue | TableValue;

/** A set of possibilities; empty is impossible. */
export type Value = readonly Possibility[];

/** A call of a function from one place: what is made in it is told from what other calls make. */
export interface Context {
  readonly tables: Map<object, TableValue>;
  readonly children: Map<CallNode, Map<FunctionNode, Context>>;
}

/** Several values, as arguments and results are: `f(a, b, unpack(t))`. */
export interface ValueList {
  readonly values: readonly Value[];
  readonly tail: Tail | undefined;
}

/** The rest of a list: any number of values, each out of one set. */
export interface Tail {
  readonly value: Value;
  /** All elements of ARGV from this index on, in their order. */
  readonly argvFrom: number | undefined;
}

const MAX_TEXTS = 8;
/** Of functions and tables; no script comes near it. */
const MAX_POSSIBILITIES = 256;

export const NOTHING: Value = [{ kind: 'nothing' }];
const UNKNOWN_POSSIBILITY: TextValue = { kind: 'text', template: UNKNOWN_TEXT, number: undefined };
export const UNKNOWN: Value = [UNKNOWN_POSSIBILITY];
export const NO_VALUES: ValueList = { values: [], tail: undefined };
export const UNKNOWN_LIST: ValueList = { values: [UNKNOWN], tail: { value: UNKNOWN, argvFrom: undefined } };

export function text(template: Template): Value {
  return [{ kind: 'text', template, number: undefined }];
}

export function numberValue(number: number): Value {
  return [{ kind: 'text', template: literalText(luaNumber(number)), number }];
}

/** As Lua writes numbers: `%.14g`. */
function luaNumber(number: number): string {
  return Number.isInteger(number) && Math.abs(number) < 1e14 ? String(number) : String(Number(number.toPrecision(14)));
}

export function list(...values: readonly Value[]): ValueList {
  return { values, tail: undefined };
}

/** What stands at an index of a list; nothing behind its end. */
export function valueAt({ values, tail }: ValueList, index: number): Value {
  return values[index] ?? (tail === undefined ? NOTHING : union(tail.value, NOTHING));
}

/** A list without its first values. */
export function listFrom({ values, tail }: ValueList, index: number): ValueList {
  const isCut = tail?.argvFrom !== undefined && index > values.length;
  const rest = isCut ? { value: tail.value, argvFrom: undefined } : tail;
  return { values: values.slice(index), tail: rest };
}

/** All values of a list, in one set. */
export function valuesOf({ values, tail }: ValueList): Value {
  return values.reduce(union, tail?.value ?? []);
}

/** Whatever may stand in the tables among a value. */
export function elementsOf(value: Value): Value {
  return value.map((one) => (one.kind === 'table' ? one.readAny() : UNKNOWN)).reduce(union, []);
}

export function templatesOf(value: Value): readonly Template[] {
  const templates: Template[] = [];
  for (const one of value) if (one.kind === 'text') templates.push(one.template);
  return templates;
}

export function mayBeNothing(value: Value): boolean {
  return value.some((one) => one.kind === 'nothing' || isUnknown(one));
}

function isUnknown(one: Possibility): boolean {
  return one.kind === 'text' && one.template.isOpen && one.template.parts.length === 0;
}

/** The literal that a value certainly is, if it is one. */
export function certainLiteral(value: Value | undefined): string | undefined {
  const only = value?.length === 1 ? value[0] : undefined;
  return only?.kind === 'text' ? literalOf(only.template) : undefined;
}

/** The number that a value certainly is, if it is a literal one. */
export function certainNumber(value: Value | undefined): number | undefined {
  const only = value?.length === 1 ? value[0] : undefined;
  return only?.kind === 'text' ? only.number : undefined;
}

/** Either value. What is unknown swallows every other text: it decides the verdict alone. */
export function union(left: Value, right: Value): Value {
  if (left === right || right.length === 0) return left;
  if (left.length === 0) return right;
  const only = right.length === 1 ? right[0] : undefined;
  if (only !== undefined && only.kind !== 'function' && left.some((one) => isSame(one, only))) return left;
  const all = [...left];
  for (const one of right) add(all, one);
  return all.length === left.length && all.every((one, i) => one === left[i]) ? left : limited(all);
}

function add(all: Possibility[], one: Possibility): void {
  const at = all.findIndex((other) => isSame(other, one));
  if (at < 0) all.push(one);
  // The same function made anew closes over the newer variables.
  else if (one.kind === 'function') all[at] = one;
}

function limited(all: readonly Possibility[]): Value {
  const texts = all.filter((one) => one.kind === 'text');
  if (texts.length <= MAX_TEXTS && !texts.some(isUnknown)) return all.slice(0, MAX_POSSIBILITIES);
  const others = all.filter((one) => one.kind !== 'text').slice(0, MAX_POSSIBILITIES);
  return [UNKNOWN_POSSIBILITY, ...others];
}

/** Whether two sets hold the same. */
export function isSameValue(left: Value, right: Value): boolean {
  return (
    left === right || (left.length === right.length && right.every((one) => left.some((other) => isSame(other, one))))
  );
}

export function isSameList(a: ValueList, b: ValueList): boolean {
  if (a.values.length !== b.values.length || a.tail?.argvFrom !== b.tail?.argvFrom) return false;
  const isSameTail = isSameValue(a.tail?.value ?? [], b.tail?.value ?? []);
  return isSameTail && a.values.every((value, i) => isSameValue(value, b.values[i] ?? []));
}

function isSame(a: Possibility, b: Possibility): boolean {
  if (a === b) return true;
  if (a.kind === 'text')
    return b.kind === 'text' && a.template.signature === b.template.signature && a.number === b.number;
  if (a.kind === 'function') return b.kind === 'function' && a.node === b.node && a.frame.context === b.frame.context;
  if (a.kind === 'native') return b.kind === 'native' && a.name === b.name;
  return a.kind === 'nothing' && b.kind === 'nothing';
}

/** `left .. right`, text by text; what is too much becomes unknown from there on. */
export function concatenated(left: Value, right: Value): Value {
  const starts = asTexts(left);
  const rights = asTexts(right);
  const ends = starts.length * rights.length > MAX_TEXTS ? [UNKNOWN_TEXT] : rights;
  let all: Value = [];
  for (const start of starts) {
    for (const end of ends) all = union(all, text(concatenation(start, end)));
  }
  return all;
}

function asTexts(value: Value): readonly Template[] {
  const texts = templatesOf(value);
  return texts.length > 0 ? texts : [UNKNOWN_TEXT];
}

/** Either list, place by place. */
export function unionOfLists(a: ValueList, b: ValueList): ValueList {
  const length = Math.max(a.values.length, b.values.length);
  const values = Array.from({ length }, (_, i) => union(valueAt(a, i), valueAt(b, i)));
  if (a.tail === undefined && b.tail === undefined) return { values, tail: undefined };
  return { values, tail: { value: union(a.tail?.value ?? [], b.tail?.value ?? []), argvFrom: undefined } };
}
