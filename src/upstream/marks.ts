/**
 * Which scripts a node is believed to have: bits by script number, one set a connection.
 *
 * A belief, not knowledge: others may flush the node at any time. What a wrong belief costs is one NOSCRIPT that is
 * healed; what a missing one costs is a body sent once too often.
 */
import type { Script } from '../script/script.ts';

export class Marks {
  #bits = new Uint32Array(8);

  has(script: Script): boolean {
    const { number } = script;
    return number >= 0 && ((this.#bits[number >>> 5] ?? 0) & (1 << (number & 31))) !== 0;
  }

  add(script: Script): void {
    const { number } = script;
    if (number < 0) return;
    const word = number >>> 5;
    if (word >= this.#bits.length) {
      const grown = new Uint32Array(word * 2);
      grown.set(this.#bits);
      this.#bits = grown;
    }
    this.#bits[word] = (this.#bits[word] as number) | (1 << (number & 31));
  }

  delete(script: Script): void {
    const { number } = script;
    const word = number >>> 5;
    if (number >= 0 && word < this.#bits.length) {
      this.#bits[word] = (this.#bits[word] as number) & ~(1 << (number & 31));
    }
  }

  clear(): void {
    this.#bits = new Uint32Array(8);
  }
}

/**
 * The scripts of EVAL origin that this process used last on a node. Servers from Redis 7.4 and Valkey 8 on evict such
 * scripts beyond 500, least recently run first: a share of 100 stays clear of that, whatever other clients do.
 */
export class RecentScripts {
  static readonly LIMIT = 100;
  readonly #scripts = new Set<Script>();
  #last: Script | undefined;

  /** Notes a use; whether the script was among the recent ones before. */
  touch(script: Script): boolean {
    if (script === this.#last) return true;
    this.#last = script;
    const isRecent = this.#scripts.delete(script);
    this.#scripts.add(script);
    if (this.#scripts.size > RecentScripts.LIMIT) {
      const [oldest] = this.#scripts;
      if (oldest !== undefined) this.#scripts.delete(oldest);
    }
    return isRecent;
  }

  delete(script: Script): void {
    this.#scripts.delete(script);
    if (this.#last === script) this.#last = undefined;
  }

  clear(): void {
    this.#scripts.clear();
    this.#last = undefined;
  }
}
