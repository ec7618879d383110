/**
 * The store of a worker: what the config names, or else the memory of the process that has the workers, and beside it the
 * registries of the other workers. So what one worker knows every worker knows: a sha that is found nowhere else is
 * asked for there, and whoever flushes waits until all have taken note.
 *
 *     find      the store, and at the same time the others; the store's word goes first
 *     announce  the channel of the store, and the others, who confirm
 */
import type { Sha } from '../../script/sha.ts';
import type { Announcement, ScriptStore, StoredScript } from '../stores/script-store.ts';
import type { PrimaryAsks, WorkerAsks } from './calls.ts';
import type { Peer } from './peer.ts';

export type ToPrimary = Peer<PrimaryAsks, WorkerAsks>;

/** Bodies are fetched in pieces of so many. */
const PIECE = 100;

/** The memory of the primary, from a worker. */
export class RemoteStore implements ScriptStore {
  readonly name = 'memory';
  readonly #primary: ToPrimary;

  constructor(primary: ToPrimary) {
    this.#primary = primary;
  }

  async open(): Promise<void> {}

  epoch(): Promise<number> {
    return this.#primary.ask('storeEpoch', undefined);
  }

  keepEpoch(epoch: number): Promise<void> {
    return this.#primary.ask('storeKeepEpoch', epoch);
  }

  put(scripts: readonly StoredScript[]): Promise<void> {
    return this.#primary.ask('storePut', scripts);
  }

  find(sha: Sha): Promise<StoredScript | undefined> {
    return this.#primary.ask('storeFind', sha);
  }

  async *all(): AsyncGenerator<readonly StoredScript[]> {
    const shas = await this.#primary.ask('storeShas', undefined);
    for (let from = 0; from < shas.length; from += PIECE) {
      const found = await Promise.all(shas.slice(from, from + PIECE).map((sha) => this.find(sha)));
      yield found.filter((script) => script !== undefined);
    }
  }

  missing(scripts: readonly Pick<StoredScript, 'sha' | 'epoch'>[]): Promise<readonly Sha[]> {
    const stamps = scripts.map(({ sha, epoch }) => ({ sha, epoch }));
    return this.#primary.ask('storeMissing', stamps);
  }

  removeOlder(epoch: number): Promise<void> {
    return this.#primary.ask('storeRemoveOlder', epoch);
  }

  /** The others are told by SharedStore. */
  async announce(): Promise<void> {}

  close(): void {}
}

export class SharedStore implements ScriptStore {
  readonly name: string;
  readonly #inner: ScriptStore;
  readonly #primary: ToPrimary;
  #onAnnouncement: (announcement: Announcement) => void = () => {};

  constructor(inner: ScriptStore, primary: ToPrimary) {
    this.name = inner.name;
    this.#inner = inner;
    this.#primary = primary;
  }

  /** Another worker has announced something. */
  onAnnounced(announcement: Announcement): void {
    this.#onAnnouncement(announcement);
  }

  async open(onAnnouncement: (announcement: Announcement) => void): Promise<void> {
    this.#onAnnouncement = onAnnouncement;
    await this.#inner.open(onAnnouncement);
  }

  /** Rejects when the store does not answer and no other worker has it. */
  async find(sha: Sha): Promise<StoredScript | undefined> {
    const elsewhere = this.#primary.ask('findElsewhere', sha).catch(() => undefined);
    try {
      return (await this.#inner.find(sha)) ?? (await elsewhere);
    } catch (error) {
      const found = await elsewhere;
      if (found === undefined) throw error;
      return found;
    }
  }

  async announce(announcement: Announcement): Promise<void> {
    await Promise.all([this.#primary.ask('announce', announcement), this.#inner.announce(announcement)]);
  }

  epoch(): Promise<number> {
    return this.#inner.epoch();
  }

  keepEpoch(epoch: number): Promise<void> {
    return this.#inner.keepEpoch(epoch);
  }

  put(scripts: readonly StoredScript[]): Promise<void> {
    return this.#inner.put(scripts);
  }

  all(): AsyncIterable<readonly StoredScript[]> {
    return this.#inner.all();
  }

  missing(scripts: readonly Pick<StoredScript, 'sha' | 'epoch'>[]): Promise<readonly Sha[]> {
    return this.#inner.missing(scripts);
  }

  removeOlder(epoch: number): Promise<void> {
    return this.#inner.removeOlder(epoch);
  }

  close(): void {
    this.#inner.close();
  }
}
