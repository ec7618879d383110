/**
 * Which arguments of a command are keys, when of the arguments only sets of possible values are known and the last of
 * them may stand for any number (`unpack(t)`).
 */
import { KeyPositions, keyPositions } from '../command/key-positions.ts';
import type { CommandSpec, KeySpec } from '../command/spec.ts';
import type { Arguments } from '../resp/bytes.ts';
import { parseIntegerAt } from '../resp/bytes.ts';
import { certainLiteral, union, type Value, type ValueList } from './values/value.ts';

/** One key, or several of which nothing else is known. */
export interface KeySet {
  readonly value: Value;
  /** False when what it holds may be no key. */
  readonly isCertain: boolean;
}

/** Filled anew by every search. */
const positions = new KeyPositions();

/** The keys of a command; undefined when they cannot be found. */
export function keySetsOf(spec: CommandSpec, args: ValueList): readonly KeySet[] | undefined {
  const sets: KeySet[] = [];
  for (const keySpec of spec.keySpecs) {
    const found = new KeySearch(
      spec.keySpecs.length === 1 ? spec : { ...spec, keySpecs: [keySpec] },
      args,
      keySpec,
    ).find();
    if (found === undefined) return undefined;
    sets.push(...found);
  }
  return sets;
}

class KeySearch {
  readonly #spec: CommandSpec;
  readonly #keySpec: KeySpec;
  readonly #args: ValueList;
  readonly #view: ListArguments;

  /** `spec` has this one key specification only. */
  constructor(spec: CommandSpec, args: ValueList, keySpec: KeySpec) {
    this.#spec = spec;
    this.#keySpec = keySpec;
    this.#args = args;
    this.#view = new ListArguments(args);
  }

  find(): KeySet[] | undefined {
    const fits = keyPositions(this.#spec, this.#view, positions);
    if (!fits) return this.#afterUnknownCount();
    // The keyword was not found, but some argument may be it.
    if (positions.count === 0 && this.#keySpec.begin.kind !== 'index') return this.#view.wasUnsure ? undefined : [];
    const indexes = Array.from({ length: positions.count }, (_, i) => positions.at(i));
    if (this.#args.tail === undefined) return indexes.map((index) => this.#setAt(index));
    return this.#withTail(indexes, this.#args.tail.value);
  }

  #setAt(index: number): KeySet {
    return { value: this.#args.values[index] ?? this.#args.tail?.value ?? [], isCertain: true };
  }

  /** The last index stands for any number of arguments. */
  #withTail(indexes: readonly number[], tail: Value): KeySet[] {
    const { find } = this.#keySpec;
    const known = indexes.filter((index) => index < this.#args.values.length).map((index) => this.#setAt(index));
    if (find.kind === 'keynum' || find.lastKey >= 0) return indexes.map((index) => this.#setAt(index));
    const isPlain = find.lastKey === -1 && find.keyStep === 1 && find.limit === 0;
    if (isPlain) return [...known, { value: tail, isCertain: true }];
    return [...known, { value: tail, isCertain: false }].map((set) => ({ ...set, isCertain: false }));
  }

  /** The number of keys is not known: any argument from the first key on may be one, or none. */
  #afterUnknownCount(): KeySet[] | undefined {
    const { begin, find } = this.#keySpec;
    if (begin.kind !== 'index' || find.kind !== 'keynum') return undefined;
    const { values, tail } = this.#args;
    const all = values.slice(begin.index + find.firstKey);
    if (tail !== undefined) all.push(tail.value);
    return all.length === 0 ? undefined : [{ value: all.reduce(union, []), isCertain: false }];
  }
}

/** The view that finds key positions: only literals are known; the tail counts as one argument. */
class ListArguments implements Arguments {
  readonly #args: ValueList;
  /** A word was looked for in an argument that may be anything. */
  wasUnsure = false;

  constructor(args: ValueList) {
    this.#args = args;
  }

  get argc(): number {
    return this.#args.values.length + (this.#args.tail === undefined ? 0 : 1);
  }

  isWord(index: number, lowerCaseWord: string): boolean {
    const literal = certainLiteral(this.#args.values[index]);
    if (literal === undefined) this.wasUnsure = true;
    return literal?.toLowerCase() === lowerCaseWord;
  }

  integerAt(index: number): number {
    const literal = certainLiteral(this.#args.values[index]);
    if (literal === undefined) return Number.NaN;
    const bytes = Buffer.from(literal, 'latin1');
    return parseIntegerAt(bytes, 0, bytes.length);
  }
}
