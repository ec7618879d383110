/**
 * Where the keys of a request stand, by the command's key specifications. Follows `getKeysUsingKeySpecs` of Redis's
 * db.c; the caller brings the list that is filled, so that no request makes garbage.
 */
import type { Arguments } from '../resp/bytes.ts';
import type { BeginSearch, CommandSpec, KeySpec } from './spec.ts';

/** Argument indexes of keys, re-used from request to request. `step` tells how far a key's own arguments reach. */
export class KeyPositions {
  count = 0;
  /** Distance from one key to the next in the last specification read: 2 for MSET, else 1. */
  step = 1;
  #indexes = new Int32Array(32);

  clear(): void {
    this.count = 0;
    this.step = 1;
    if (this.#indexes.length > 4096) this.#indexes = new Int32Array(32);
  }

  add(index: number): void {
    if (this.count === this.#indexes.length) {
      const grown = new Int32Array(this.count * 2);
      grown.set(this.#indexes);
      this.#indexes = grown;
    }
    this.#indexes[this.count++] = index;
  }

  at(position: number): number {
    return this.#indexes[position] as number;
  }
}

/**
 * Fills `out` with the argument indexes of all keys, in the order of the key specifications.
 * False when the arguments do not fit a specification (the server will answer with a syntax error of its own);
 * `out` then holds what was found before.
 */
export function keyPositions(spec: CommandSpec, args: Arguments, out: KeyPositions): boolean {
  out.clear();
  let fits = true;
  for (const keySpec of spec.keySpecs) {
    const begin = beginOf(keySpec.begin, args);
    if (begin > 0) fits = addKeys(keySpec, begin, { args, out }) && fits;
  }
  return fits;
}

/** Index of the argument where the search begins; 0 when the keyword does not occur. */
function beginOf(begin: BeginSearch, args: Arguments): number {
  switch (begin.kind) {
    case 'index':
      return begin.index;
    case 'keyword':
      return findKeyword(begin.keyword, begin.startFrom, args);
    case 'option':
      return findOption(begin, args);
  }
}

function findKeyword(keyword: string, startFrom: number, args: Arguments): number {
  const step = startFrom > 0 ? 1 : -1;
  const from = startFrom > 0 ? startFrom : args.argc + startFrom;
  for (let i = from; i > 0 && i < args.argc - 1; i += step) {
    if (args.isWord(i, keyword)) return i + 1;
  }
  return 0;
}

/** The last occurrence counts, and the arguments of other options are skipped, as in `sortGetKeys`. */
function findOption(begin: Extract<BeginSearch, { kind: 'option' }>, args: Arguments): number {
  let found = 0;
  for (let i = begin.startFrom; i < args.argc; i++) {
    if (args.isWord(i, begin.keyword) && i + 1 < args.argc) {
      found = i + 1;
      i++;
      continue;
    }
    for (const option in begin.skip) {
      if (args.isWord(i, option)) {
        i += begin.skip[option] as number;
        break;
      }
    }
  }
  return found;
}

function addKeys(keySpec: KeySpec, begin: number, { args, out }: { args: Arguments; out: KeyPositions }): boolean {
  const find = keySpec.find;
  let first = begin;
  let last: number;
  if (find.kind === 'range') {
    last = lastOfRange(find, first, args.argc);
  } else {
    const keyNumAt = first + find.keyNumIndex;
    const count = keyNumAt < args.argc ? args.integerAt(keyNumAt) : Number.NaN;
    if (Number.isNaN(count) || count < 0) return false;
    first += find.firstKey;
    last = first + (count - 1) * find.keyStep;
  }
  if (last >= args.argc) return false;
  for (let i = first; i <= last; i += find.keyStep) out.add(i);
  out.step = find.keyStep;
  return true;
}

function lastOfRange(find: Extract<KeySpec['find'], { kind: 'range' }>, first: number, argc: number): number {
  if (find.lastKey >= 0) return first + find.lastKey;
  if (find.limit === 0) return argc + find.lastKey;
  return first + Math.floor((argc - first) / find.limit) + find.lastKey;
}
