/**
 * Puts together what remembers scripts: the registry, the keeper of the configured store, and the look-out for floods.
 */
import type { Logger } from 'pino';
import { FloodWatch } from '../script/flood.ts';
import { ScriptRegistry } from '../script/registry.ts';
import type { Script } from '../script/script.ts';
import type { ScriptKeeper } from '../session/runtime.ts';
import type { ClusterAccess } from './cluster-access.ts';
import type { Config } from './config.ts';
import { ClusterStore } from './stores/cluster.ts';
import { DirectoryStore } from './stores/directory.ts';
import { MemoryKeeper } from './stores/memory.ts';
import type { OnDamaged, ScriptStore } from './stores/script-store.ts';
import { StoreCounters } from './stores/store-counters.ts';
import { StoreKeeper } from './stores/store-keeper.ts';
import type { Crew } from './workers/crew.ts';

const FLOOD_ADVICE =
  'pass what varies in KEYS and ARGV and keep the text of the script the same: every new text is compiled and kept by the nodes';
/** Damaged entries that are remembered as told. */
const MAX_TOLD = 1000;

export interface ScriptMemoryOptions {
  readonly log: Logger;
  /** The registry let go of a script, whose number will be used again. */
  readonly onForgotten: (script: Script) => void;
  /** Scripts were flushed, by whichever evalgate, and are forgotten. */
  readonly onFlushed: () => void;
  readonly crew: Crew | undefined;
}

export class ScriptMemory {
  readonly registry: ScriptRegistry;
  readonly keeper: ScriptKeeper;
  readonly counters = new StoreCounters();
  readonly #log: Logger;
  readonly #lasting: StoreKeeper | undefined;
  readonly #configured: ScriptStore | undefined;
  readonly #told = new Set<string>();

  constructor(config: Config, access: ClusterAccess, { log, onForgotten, onFlushed, crew }: ScriptMemoryOptions) {
    const { registry_max_bytes: maxBytes } = config.scripting;
    this.#log = log;
    const floods = new FloodWatch(({ shas, line, source, count }) => {
      log.warn({ shas, line, source, count, advice: FLOOD_ADVICE }, 'many scripts differ only in their constants');
    });
    this.registry = new ScriptRegistry({
      maxBytes,
      onForgotten: (script) => {
        this.#lasting?.onForgotten(script);
        onForgotten(script);
      },
      onLearned: (script) => floods.note(script),
      onReused: (script) => this.#lasting?.onReused(script),
    });
    this.#configured = storeFrom(config, access, (entry, reason) => this.#onDamaged(entry, reason));
    const store = crew === undefined ? this.#configured : crew.shareStore(this.#configured);
    const { registry, counters } = this;
    this.#lasting =
      store === undefined
        ? undefined
        : new StoreKeeper({
            store,
            registry,
            log,
            counters,
            onFlushed,
            get maxEvalBytesPerDay() {
              return registry.maxBytes;
            },
          });
    this.keeper = this.#lasting ?? new MemoryKeeper(registry, onFlushed);
  }

  /** After a reload: another limit. */
  resize({ scripting }: Config): void {
    this.registry.resize(scripting.registry_max_bytes);
  }

  /** After a reload: a store in the cluster is reached otherwise from now on. */
  reach(access: ClusterAccess): void {
    if (this.#configured instanceof ClusterStore) this.#configured.reach(access);
  }

  /** Reads back what the store holds; resolves when that is done or has taken too long. Never rejects. */
  async open(): Promise<void> {
    await this.#lasting?.open();
  }

  onTopology(): void {
    this.#lasting?.onTopology();
  }

  async stop(): Promise<void> {
    await this.#lasting?.stop();
  }

  #onDamaged(entry: string, reason: string): void {
    if (this.#told.has(entry) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(entry);
    this.counters.damaged++;
    this.#log.warn({ entry, reason }, 'a damaged script of the store is skipped');
  }
}

function storeFrom(config: Config, access: ClusterAccess, onDamaged: OnDamaged): ScriptStore | undefined {
  const { type, path, prefix } = config.scripting.store;
  const make: Readonly<Record<typeof type, () => ScriptStore | undefined>> = {
    memory: () => undefined,
    directory: () => new DirectoryStore(path ?? '', onDamaged),
    cluster: () => new ClusterStore({ ...access, prefix, onDamaged }),
  };
  return make[type]();
}
