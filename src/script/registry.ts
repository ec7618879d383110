/**
 * The scripts that evalgate knows, bounded in bytes, found by sha and by body without making a string.
 *
 * At the limit the least recently used script of EVAL origin goes; scripts of LOAD origin stay, and when they alone
 * fill it, no more can be loaded. Script numbers are re-used, so whoever keeps marks by number (the connections) is
 * told when one becomes free.
 *
 *     by sha:   first 28 bits ─▶ chain of scripts
 *     by body:  length ─▶ at most CROWD bodies, compared; beyond that the body's own sha1 is looked up
 *     by use:   newest ⇄ … ⇄ oldest, EVAL origin only
 */
import { type Origin, SCRIPT_OVERHEAD_BYTES, type Script, scriptFromBody } from './script.ts';
import { SHA_LENGTH, type Sha, shaOf, shaPrefix } from './sha.ts';

/** More bodies of one length than this are not compared one by one. */
const CROWD = 4;

export interface RegistryOptions {
  readonly maxBytes: number;
  /** Called before the number of a forgotten script is given to another. */
  readonly onForgotten: (script: Script) => void;
  /** A body was taken in that came by EVAL. */
  readonly onLearned?: (script: Script) => void;
  /** A script of EVAL origin is used for the second time. */
  readonly onReused?: (script: Script) => void;
}

export class ScriptRegistry {
  /** Stamped on every script that is taken in; a flush raises it. */
  epoch = 0;
  readonly #options: RegistryOptions;
  readonly #bySha = new Map<number, Script>();
  readonly #byLength = new Map<number, Script[]>();
  readonly #freeNumbers: number[] = [];
  #nextNumber = 0;
  #newest: Script | undefined;
  #oldest: Script | undefined;
  #count = 0;
  #bytes = 0;
  #loadedBytes = 0;
  #maxBytes: number;
  #loadedCount = 0;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Another limit: what no longer fits goes, the least recently used first; what was loaded stays. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#makeRoom(0);
  }

  get count(): number {
    return this.#count;
  }

  /** Bodies and overhead of all scripts held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Of these, what came by SCRIPT LOAD or preload. */
  get loaded(): { readonly count: number; readonly bytes: number } {
    return { count: this.#loadedCount, bytes: this.#loadedBytes };
  }

  /** All scripts held, so many at most: those that came by SCRIPT LOAD, then the others, the one used last first. */
  list(limit: number): Script[] {
    const listed: Script[] = [];
    for (const script of this.#all()) {
      if (listed.length >= limit) return listed;
      if (script.origin === 'load') listed.push(script);
    }
    for (let script = this.#newest; script !== undefined && listed.length < limit; script = script.older)
      listed.push(script);
    return listed;
  }

  /** The script whose sha stands in bytes [start, end), in any case. */
  find(bytes: Uint8Array, start: number, end: number): Script | undefined {
    if (end - start !== SHA_LENGTH) return undefined;
    let script = this.#bySha.get(shaPrefix(bytes, start));
    while (script !== undefined && !script.isNamed(bytes, start)) script = script.next;
    return script;
  }

  findBySha(sha: string): Script | undefined {
    const bytes = Buffer.from(sha, 'latin1');
    return this.find(bytes, 0, bytes.length);
  }

  /** The script with the body that stands in bytes [start, end). */
  findByBody(bytes: Buffer, start: number, end: number): Script | undefined {
    const alike = this.#byLength.get(end - start);
    if (alike === undefined) return undefined;
    if (alike.length > CROWD) return this.findBySha(shaOf(bytes.subarray(start, end)));
    for (const script of alike) {
      if (bytes.compare(script.body, 0, script.body.length, start, end) === 0) return script;
    }
    return undefined;
  }

  /** Notes a use, so that the script is not the first to go. */
  touch(script: Script): void {
    if (script.origin === 'load' || script.number < 0) return;
    if (!script.isReused) {
      script.isReused = true;
      this.#options.onReused?.(script);
    }
    if (script === this.#newest) return;
    this.#unlink(script);
    this.#link(script);
  }

  /** Whether a body of so many bytes can be held as LOAD origin: beside those held so, and no more than a quarter. */
  hasRoomToLoad(bodyBytes: number): boolean {
    if (bodyBytes > this.#maxBytes / 4) return false;
    return this.#loadedBytes + bodyBytes + SCRIPT_OVERHEAD_BYTES <= this.#maxBytes;
  }

  /** Whether, with so many bytes, bodies of these lengths fit beside those held as LOAD origin. */
  wouldHold(bodyBytes: readonly number[], maxBytes: number): boolean {
    const total = bodyBytes.reduce((sum, bytes) => sum + bytes + SCRIPT_OVERHEAD_BYTES, this.#loadedBytes);
    return total <= maxBytes && bodyBytes.every((bytes) => bytes <= maxBytes / 4);
  }

  /**
   * Holds a body that came by SCRIPT LOAD, for as long as no flush comes; a script of EVAL origin becomes one of LOAD
   * origin. Undefined when it does not fit.
   */
  load(body: Uint8Array): Script | undefined {
    const sha = shaOf(body);
    const known = this.findBySha(sha);
    if (known?.origin === 'load') {
      known.epoch = Math.max(known.epoch, this.epoch);
      return known;
    }
    if (!this.hasRoomToLoad(body.length)) return undefined;
    if (known !== undefined) {
      this.#unlink(known);
      known.origin = 'load';
      known.isAccepted = true;
      this.#loadedCount++;
      known.epoch = Math.max(known.epoch, this.epoch);
      this.#loadedBytes += known.bytes;
      return known;
    }
    return this.#hold(scriptFromBody(body, 'load', sha));
  }

  /**
   * Holds a body that came by EVAL, while there is room for it beside the loaded ones. Undefined when there is none or
   * the body exceeds a quarter of the limit.
   */
  learn(body: Uint8Array): Script | undefined {
    if (body.length > this.#maxBytes / 4) return undefined;
    const sha = shaOf(body);
    const known = this.findBySha(sha);
    if (known !== undefined) return known;
    if (!this.hasRoomToLoad(body.length)) return undefined;
    const script = this.#hold(scriptFromBody(body, 'eval', sha));
    this.#options.onLearned?.(script);
    return script;
  }

  /** Holds a script that was read back from a store, or learned of elsewhere. Undefined when it does not fit. */
  restore(body: Uint8Array, origin: Origin, epoch: number): Script | undefined {
    const known = this.findBySha(shaOf(body));
    const script = origin === 'load' ? this.load(body) : (known ?? this.#restoreEval(body));
    if (script === undefined) return undefined;
    script.epoch = Math.max(epoch, known?.epoch ?? 0);
    script.isReused = true;
    return script;
  }

  #restoreEval(body: Uint8Array): Script | undefined {
    const fits = body.length <= this.#maxBytes / 4 && this.hasRoomToLoad(body.length);
    return fits ? this.#hold(scriptFromBody(body, 'eval')) : undefined;
  }

  /** A flush: scripts that were taken in before this epoch are forgotten. */
  dropOlder(epoch: number): void {
    this.epoch = Math.max(this.epoch, epoch);
    for (const script of this.#all()) if (script.epoch < epoch) this.forget(script);
  }

  #hold(script: Script): Script {
    script.epoch = this.epoch;
    this.#makeRoom(script.bytes);
    script.number = this.#freeNumbers.pop() ?? this.#nextNumber++;
    const prefix = shaPrefix(script.shaBytes, 0);
    script.next = this.#bySha.get(prefix);
    this.#bySha.set(prefix, script);
    const alike = this.#byLength.get(script.body.length);
    if (alike === undefined) this.#byLength.set(script.body.length, [script]);
    script.place = alike === undefined ? 0 : alike.push(script) - 1;
    this.#count++;
    this.#bytes += script.bytes;
    if (script.origin === 'load') {
      this.#loadedBytes += script.bytes;
      this.#loadedCount++;
    } else {
      this.#link(script);
    }
    return script;
  }

  #makeRoom(bytes: number): void {
    while (this.#bytes + bytes > this.#maxBytes && this.#oldest !== undefined) this.forget(this.#oldest);
  }

  /** Takes a script out, whatever its origin: it did not compile, or was evicted. */
  forget(script: Script): void {
    if (script.number < 0) return;
    if (script.origin === 'eval') {
      this.#unlink(script);
    } else {
      this.#loadedBytes -= script.bytes;
      this.#loadedCount--;
    }
    this.#bytes -= script.bytes;
    this.#count--;
    this.#removeFromChain(script);
    this.#removeFromLength(script);
    this.#options.onForgotten(script);
    this.#freeNumbers.push(script.number);
    script.number = -1;
  }

  /** Forgets all: SCRIPT FLUSH. */
  clear(): void {
    for (const script of this.#all()) this.forget(script);
  }

  /** The shas of all scripts of LOAD origin. */
  loadedShas(): Sha[] {
    return this.#all()
      .filter(({ origin }) => origin === 'load')
      .map(({ sha }) => sha);
  }

  #all(): Script[] {
    const all: Script[] = [];
    for (const first of this.#bySha.values()) {
      for (let script: Script | undefined = first; script !== undefined; script = script.next) all.push(script);
    }
    return all;
  }

  #removeFromChain(script: Script): void {
    const prefix = shaPrefix(script.shaBytes, 0);
    const first = this.#bySha.get(prefix);
    if (first === script) {
      if (script.next === undefined) this.#bySha.delete(prefix);
      else this.#bySha.set(prefix, script.next);
    } else {
      let before = first;
      while (before !== undefined && before.next !== script) before = before.next;
      if (before !== undefined) before.next = script.next;
    }
    script.next = undefined;
  }

  #removeFromLength(script: Script): void {
    const alike = this.#byLength.get(script.body.length);
    const last = alike?.pop();
    if (alike === undefined || last === undefined) return;
    if (last !== script) {
      alike[script.place] = last;
      last.place = script.place;
    }
    if (alike.length === 0) this.#byLength.delete(script.body.length);
  }

  #link(script: Script): void {
    script.older = this.#newest;
    if (this.#newest !== undefined) this.#newest.newer = script;
    this.#newest = script;
    this.#oldest ??= script;
  }

  #unlink(script: Script): void {
    if (script.newer === undefined) this.#newest = script.older;
    else script.newer.older = script.older;
    if (script.older === undefined) this.#oldest = script.newer;
    else script.older.newer = script.newer;
    script.newer = undefined;
    script.older = undefined;
  }
}
