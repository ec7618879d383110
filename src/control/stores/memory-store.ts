/**
 * A store in the memory of a process: what `scripting.store.type: memory` means when several workers share it. It lives
 * in the process that has them, so it outlasts each of them, and is bounded as a registry is, by being one.
 */
import { ScriptRegistry } from '../../script/registry.ts';
import type { Sha } from '../../script/sha.ts';
import { outranks, type ScriptStore, type StoredScript } from './script-store.ts';
import { entryOf } from './write-behind.ts';

/** From this share of its limit on, scripts may have been evicted. */
const FULL = 0.9;

export class MemoryStore implements Omit<ScriptStore, 'all' | 'announce' | 'open'> {
  readonly name = 'memory';
  readonly #registry: ScriptRegistry;
  #epoch = 0;

  constructor(maxBytes: number) {
    this.#registry = new ScriptRegistry({ maxBytes, onForgotten: () => {} });
  }

  /** After a reload: another limit. */
  resize(maxBytes: number): void {
    this.#registry.resize(maxBytes);
  }

  async epoch(): Promise<number> {
    return this.#epoch;
  }

  async keepEpoch(epoch: number): Promise<void> {
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  /** Rejects when scripts of LOAD origin alone fill it; one of EVAL origin that does not fit is left out. */
  async put(scripts: readonly StoredScript[]): Promise<void> {
    for (const script of scripts) this.#put(script);
  }

  #put(script: StoredScript): void {
    const held = this.#registry.findBySha(script.sha);
    if (held !== undefined && outranks(held, script)) return;
    if (held !== undefined) this.#registry.forget(held);
    const taken = this.#registry.restore(script.body, script.origin, script.epoch);
    if (taken === undefined && script.origin === 'load') throw new Error('it is full (registry_max_bytes)');
  }

  async find(sha: Sha): Promise<StoredScript | undefined> {
    const script = this.#registry.findBySha(sha);
    return script === undefined ? undefined : entryOf(script);
  }

  async shas(): Promise<readonly Sha[]> {
    return this.#registry.list(Number.POSITIVE_INFINITY).map(({ sha }) => sha);
  }

  /** Nothing gets lost here but what had to go for others: that is not missing, or it would come back for ever. */
  async missing(scripts: readonly Pick<StoredScript, 'sha' | 'epoch'>[]): Promise<readonly Sha[]> {
    const registry = this.#registry;
    const isFull = registry.bytes > registry.maxBytes * FULL;
    const isMissing = ({ sha, epoch }: Pick<StoredScript, 'sha' | 'epoch'>) => {
      const held = registry.findBySha(sha);
      return held === undefined ? !isFull : held.epoch < epoch;
    };
    return scripts.filter(isMissing).map(({ sha }) => sha);
  }

  async removeOlder(epoch: number): Promise<void> {
    this.#registry.dropOlder(epoch);
  }

  close(): void {}
}
