/**
 * What passes between workers: operations on all clients, announcements, and scripts that another one holds. The memory
 * that they share answers here too.
 *
 * A worker that does not answer in time is left out; nothing waits for it.
 */
import type { MemoryStore } from '../stores/memory-store.ts';
import type { StoredScript } from '../stores/script-store.ts';
import type { RelayHandlers, WorkerHandle } from './worker-handle.ts';

/** Less than a client's command waits for a store. */
const ANSWER_MS = 800;

export class Relay {
  readonly #serving: () => readonly WorkerHandle[];
  readonly #store: MemoryStore;

  constructor(serving: () => readonly WorkerHandle[], store: MemoryStore) {
    this.#serving = serving;
    this.#store = store;
  }

  /** Answers what a worker asks. */
  handlersFor(asking: WorkerHandle): RelayHandlers {
    const others = () => this.#serving().filter((worker) => worker !== asking);
    const store = this.#store;
    return {
      siblings: async (question) => {
        const answers = await Promise.allSettled(
          others().map((worker) => worker.ask('operate', question, { timeoutMs: ANSWER_MS })),
        );
        return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      },
      announce: async (announcement) => {
        await Promise.allSettled(
          others().map((worker) => worker.ask('announced', announcement, { timeoutMs: ANSWER_MS })),
        );
        return undefined;
      },
      findElsewhere: (sha) => firstFound(others().map((worker) => worker.ask('find', sha, { timeoutMs: ANSWER_MS }))),
      storeEpoch: () => store.epoch(),
      storeKeepEpoch: async (epoch) => {
        await store.keepEpoch(epoch);
        return undefined;
      },
      storePut: async (scripts) => {
        await store.put(scripts);
        return undefined;
      },
      storeFind: (sha) => store.find(sha),
      storeShas: () => store.shas(),
      storeMissing: (scripts) => store.missing(scripts),
      storeRemoveOlder: async (epoch) => {
        await store.removeOlder(epoch);
        return undefined;
      },
    };
  }
}

/** What the first has that has it; undefined when none has. */
async function firstFound(asked: readonly Promise<StoredScript | undefined>[]): Promise<StoredScript | undefined> {
  const found = asked.map(async (answer) => {
    const script = await answer;
    if (script === undefined) throw new Error('not there');
    return script;
  });
  return await Promise.any(found).catch(() => undefined);
}
