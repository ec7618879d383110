/**
 * What is known of a table. It is one object however often it is mentioned, and it only ever learns: a field holds all
 * that was ever written to it, so nothing needs undoing when a branch is left.
 *
 *     fields     by literal index or name
 *     appended   t[#t + 1] = …, table.insert(t, …): behind the fields, in whatever number
 *     rest       written to an index that is not known, or moved about
 */
import { elementText } from './template.ts';
import { isSameValue, NOTHING, type Tail, text, UNKNOWN, union, type Value, type ValueList } from './value.ts';

/** A literal index (a number) or name (a string). */
export type FieldKey = string | number;

export class TableValue {
  readonly kind = 'table';
  readonly #source: 'key' | 'arg' | undefined;
  readonly #fields = new Map<FieldKey, Value>();
  #appended: Value = [];
  #rest: Value = [];
  /** KEYS or ARGV that the script wrote to or moved about. */
  #isChanged = false;
  readonly #learnt: (value: Value) => Value;

  /** `source` for KEYS and ARGV; `learnt` is told of all that is new to the table and gives what to keep of it. */
  constructor(learnt: (value: Value) => Value, source?: 'key' | 'arg') {
    this.#learnt = learnt;
    this.#source = source;
  }

  read(key: FieldKey): Value {
    if (this.#source !== undefined && !this.#isChanged) {
      return typeof key === 'number' && key >= 1 ? text(elementText(this.#source, key)) : NOTHING;
    }
    if (this.#source !== undefined) return this.readAny();
    const field = this.#fields.get(key);
    const behind = typeof key === 'number' && field === undefined ? this.#appended : [];
    return union(field ?? NOTHING, union(behind, this.#rest));
  }

  /** Whatever stands in it. */
  readAny(): Value {
    const own = this.#source === undefined ? [] : text(elementText(this.#source, 1, true));
    const values = [...this.#fields.values(), this.#appended, this.#rest, own].reduce(union, []);
    return values.length === 0 ? NOTHING : values;
  }

  /** The names and indexes of its fields are known, and nothing else is in it. */
  get fieldKeys(): readonly FieldKey[] | undefined {
    const isPlain = this.#source === undefined && this.#rest.length === 0 && this.#appended.length === 0;
    return isPlain ? [...this.#fields.keys()] : undefined;
  }

  write(key: FieldKey, value: Value): void {
    const isPlace = this.#fields.has(key) || typeof key === 'string' || this.#appended.length === 0;
    if (this.#source !== undefined || !isPlace) this.writeAny(value);
    else this.#learn(this.#fields.get(key), value, (all) => this.#fields.set(key, all));
  }

  writeAny(value: Value): void {
    this.#change();
    this.#learn(this.#rest, value, (all) => {
      this.#rest = all;
    });
  }

  append(value: Value): void {
    if (this.#source !== undefined || this.#rest.length > 0) {
      this.writeAny(value);
      return;
    }
    this.#learn(this.#appended, value, (all) => {
      this.#appended = all;
    });
  }

  /** Elements move: table.remove, table.sort, table.insert in the middle. */
  shuffle(): void {
    this.#change();
    if (this.#source === undefined) this.writeAny(this.readAny());
  }

  /** Its elements from an index on, as unpack gives them. */
  unpacked(from: number): ValueList {
    if (this.#source !== undefined || this.#rest.length > 0) return { values: [], tail: this.#tail(from) };
    const values: Value[] = [];
    for (let i = from; this.#fields.has(i); i++) values.push(this.#fields.get(i) ?? UNKNOWN);
    const tail = this.#appended.length > 0 ? { value: this.#appended, argvFrom: undefined } : undefined;
    return { values, tail };
  }

  #tail(from: number): Tail {
    if (this.#source === undefined || this.#isChanged) return { value: this.readAny(), argvFrom: undefined };
    return { value: text(elementText(this.#source, from, true)), argvFrom: this.#source === 'arg' ? from : undefined };
  }

  #change(): void {
    if (this.#source !== undefined && !this.#isChanged) {
      this.#isChanged = true;
      this.#learnt(NOTHING);
    }
  }

  #learn(known: Value | undefined, value: Value, keep: (all: Value) => void): void {
    const all = known === undefined ? value : union(known, value);
    if (known !== undefined && isSameValue(known, all)) return;
    keep(this.#learnt(all));
  }
}
