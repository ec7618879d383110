/**
 * Keeps the registry and a store of the same mind, for `scripting.store.type` directory and cluster. Sessions hand it
 * what was loaded and flushed and ask it for shas that nobody knows; everything else it does by itself, every TICK_MS.
 *
 *     SCRIPT LOAD ─▶ keep ──────▶ epoch read, entry written, announced; then the client is answered
 *     second use of an EVAL ─▶ #unsaved ─▶ written in batches
 *     SCRIPT FLUSH ─▶ flush ────▶ epoch raised: here at once, in the store, announced; old entries removed behind
 *     unknown sha ─▶ lookUp ────▶ entry and epoch read; not void: into the registry
 *     tick ─▶ a later epoch in the store: a flush that we did not hear of; drop what is older
 *          ├▶ an earlier one, or none: lost; written back, with every script that memory holds
 *          └▶ what could not be written before; every 10 s, and when the topology changed, a look for
 *          │  entries that vanished
 *
 * Invariants: nothing that a session waits for takes longer than PATIENCE_MS, and nothing rejects. A store that does
 * not answer costs a log line, a counter and what others cannot learn meanwhile, never a reply. An epoch never falls,
 * and what has vanished from the store was not flushed: only an epoch says that.
 */
import type { Logger } from 'pino';
import { SingleFlight } from '../../base/single-flight.ts';
import type { ScriptRegistry } from '../../script/registry.ts';
import type { Script } from '../../script/script.ts';
import { SHA_LENGTH, type Sha } from '../../script/sha.ts';
import type { ScriptKeeper } from '../../session/runtime.ts';
import { bounded } from './bounded.ts';
import type { Announcement, ScriptStore, StoredScript } from './script-store.ts';
import type { StoreCounters } from './store-counters.ts';
import { PATIENCE_MS, StoreHealth } from './store-health.ts';
import { SweepRound } from './sweep-round.ts';
import { entryOf, WriteBehind } from './write-behind.ts';

const TICK_MS = 500;
/** Reading everything back at start may take so long; the rest follows while the proxy serves. */
const READ_BACK_MS = 10_000;
const MAX_ANNOUNCED = 10_000;

export interface StoreKeeperOptions {
  readonly store: ScriptStore;
  readonly registry: ScriptRegistry;
  readonly log: Logger;
  readonly counters: StoreCounters;
  /** Scripts are forgotten, because they were flushed here or elsewhere. */
  readonly onFlushed?: () => void;
  /** Bytes of EVAL-origin bodies that are written in a day. */
  readonly maxEvalBytesPerDay: number;
  /** Milliseconds since 1970; the computer's clock unless given. */
  readonly now?: () => number;
}

export class StoreKeeper implements ScriptKeeper {
  readonly #store: ScriptStore;
  readonly #registry: ScriptRegistry;
  readonly #log: Logger;
  readonly #counters: StoreCounters;
  readonly #now: () => number;
  readonly #onFlushed: () => void;
  /** What the store holds, or will: LOAD origin, and EVAL origin from the second use. */
  readonly #kept = new Map<Sha, Script>();
  /** Of these, what is still to be written. */
  readonly #unsaved: WriteBehind;
  readonly #health: StoreHealth;
  readonly #lookUps = new Map<Sha, SingleFlight>();
  readonly #announced = new Set<Sha>();
  readonly #sweep: SweepRound;
  /** The epoch in force, as far as this evalgate knows. */
  #epoch = 1;
  /** The highest stamp that was given or seen. */
  #newest = 1;
  /** The store may not have our epoch yet. */
  #owesEpoch = false;
  #owesRemoval = false;
  #owesReadBack = true;
  #isRemoving = false;
  #isStopped = false;
  #ticker: NodeJS.Timeout | undefined;
  #isTicking = false;
  #isFetching = false;

  constructor(options: StoreKeeperOptions) {
    this.#store = options.store;
    this.#registry = options.registry;
    this.#log = options.log;
    this.#counters = options.counters;
    this.#now = options.now ?? Date.now;
    this.#onFlushed = options.onFlushed ?? (() => {});
    this.#sweep = new SweepRound(this.#now);
    this.#health = new StoreHealth(this.#store.name, this.#log, this.#counters);
    this.#unsaved = new WriteBehind({
      store: this.#store,
      health: this.#health,
      counters: this.#counters,
      get maxEvalBytesPerDay() {
        return options.maxEvalBytesPerDay;
      },
      now: this.#now,
      onEpoch: (epoch) => this.#see(epoch),
    });
  }

  /** Reads everything back into the registry; resolves when that is done or has taken too long, whatever came of it. */
  async open(): Promise<void> {
    const isThere = await this.#health.try('open', async () => {
      await this.#store.open((announcement) => this.#onAnnouncement(announcement));
      const epoch = await this.#store.epoch();
      this.#see(epoch);
      if (epoch === 0) await this.#store.keepEpoch(this.#epoch);
    });
    // Scripts that come before the store is there are younger than any flush that it will tell us of.
    this.#registry.epoch = isThere ? this.#epoch : this.#stampNow();
    if (isThere) {
      await bounded(this.#readBack(), READ_BACK_MS).catch(() => {
        this.#log.warn({ store: this.#store.name }, 'reading back scripts takes long: it goes on while serving');
      });
    }
    this.#ticker = setInterval(() => void this.#tick(), TICK_MS);
  }

  /** Never rejects; what failed is tried again at a tick. */
  async #readBack(): Promise<void> {
    this.#owesReadBack = false;
    try {
      for await (const piece of this.#store.all()) {
        if (this.#isStopped) return;
        for (const entry of piece) this.#adopt(entry);
      }
      this.#log.info({ store: this.#store.name, scripts: this.#kept.size }, 'scripts read back from the store');
    } catch (error) {
      this.#owesReadBack = true;
      this.#health.onFailure('read back', error);
    }
  }

  // ── what sessions and the registry say ──────────────────────────────────────────────────────────────────────

  async keep(script: Script): Promise<void> {
    this.#kept.set(script.sha, script);
    this.#unsaved.add(script);
    const isSaved = await this.#health.try('save', async () => {
      const epoch = await this.#store.epoch();
      // It came after every flush that the store knows.
      script.epoch = Math.max(script.epoch, epoch);
      this.#see(epoch);
      await this.#unsaved.write([script]);
      // A flush came in between, but this was written after it.
      const isOut = script.number < 0 && script.epoch >= this.#epoch;
      if (isOut) this.#adopt(entryOf(script));
    });
    if (isSaved) void this.#announce({ kind: 'loaded', sha: script.sha });
    // Nobody can say which flush it came after: the clocks decide.
    else script.epoch = Math.max(script.epoch, this.#stampNow());
  }

  async flush(): Promise<void> {
    this.#raise(this.#nextEpoch(0));
    this.#owesEpoch = true;
    this.#owesRemoval = true;
    await this.#health.try('flush', async () => {
      const stored = await this.#store.epoch();
      if (stored >= this.#epoch) this.#raise(this.#nextEpoch(stored));
      await this.#store.keepEpoch(this.#epoch);
      this.#owesEpoch = false;
    });
    // In any case: the channel may work where the epoch's shard does not.
    const told = this.#announce({ kind: 'flushed', epoch: this.#epoch });
    void this.#removeOlder();
    await told;
  }

  lookUp(sha: string): Promise<void> | undefined {
    const name = sha.toLowerCase() as Sha;
    if (this.#isStopped || !/^[0-9a-f]+$/.test(name) || name.length !== SHA_LENGTH) return undefined;
    this.#counters.lookUps++;
    const flight = this.#lookUps.get(name) ?? new SingleFlight(() => this.#find(name));
    this.#lookUps.set(name, flight);
    return flight.run().finally(() => {
      if (flight.isIdle && this.#lookUps.get(name) === flight) this.#lookUps.delete(name);
    });
  }

  /** A shard has another primary, perhaps, which may lack what was written last: looks for all scripts at the next tick. */
  onTopology(): void {
    this.#sweep.begin();
  }

  /** A script of EVAL origin is used for the second time: worth keeping. */
  onReused(script: Script): void {
    if (this.#unsaved.addSoon(script)) this.#kept.set(script.sha, script);
    else script.isReused = false;
  }

  /** The registry holds it no more. */
  onForgotten(script: Script): void {
    if (this.#kept.get(script.sha) === script) this.#kept.delete(script.sha);
    this.#unsaved.remove(script);
  }

  /** Writes what waits, as far as the store is there, and lets go of it. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    clearInterval(this.#ticker);
    this.#unsaved.stop();
    await bounded(this.#unsaved.writeAll(), PATIENCE_MS).catch(() => {});
    this.#isStopped = true;
    this.#health.end();
    this.#store.close();
  }

  // ── what others did ─────────────────────────────────────────────────────────────────────────────────────────

  #onAnnouncement(announcement: Announcement): void {
    if (announcement.kind === 'flushed') return this.#see(announcement.epoch);
    if (this.#registry.findBySha(announcement.sha)?.origin === 'load') return;
    // Beyond that it is looked up when it is asked for.
    if (this.#announced.size < MAX_ANNOUNCED) this.#announced.add(announcement.sha);
    void this.#fetchAnnounced();
  }

  async #fetchAnnounced(): Promise<void> {
    if (this.#isFetching) return;
    this.#isFetching = true;
    for (const sha of this.#announced) {
      if (this.#isStopped) break;
      this.#announced.delete(sha);
      await this.#find(sha);
    }
    this.#isFetching = false;
  }

  async #find(sha: Sha): Promise<void> {
    await this.#health.try('look up', async () => {
      const [entry, epoch] = await Promise.all([this.#store.find(sha), this.#store.epoch()]);
      this.#see(epoch);
      if (entry !== undefined && this.#adopt(entry)) this.#counters.found++;
    });
  }

  /** Into the registry, unless it is void or does not fit. */
  #adopt({ sha, body, origin, epoch }: StoredScript): boolean {
    if (epoch < this.#epoch || this.#isStopped) return this.#leave(epoch);
    this.#newest = Math.max(this.#newest, epoch);
    const script = this.#registry.restore(body, origin, epoch);
    if (script !== undefined) this.#kept.set(sha, script);
    else this.#log.warn({ sha }, 'script of the store is not held: the registry is full (registry_max_bytes)');
    return script !== undefined;
  }

  #leave(epoch: number): false {
    if (epoch < this.#epoch) this.#owesRemoval = true;
    return false;
  }

  // ── epochs ──────────────────────────────────────────────────────────────────────────────────────────────────

  #nextEpoch(stored: number): number {
    return Math.max(this.#now(), this.#newest + 1, stored + 1);
  }

  #stampNow(): number {
    this.#newest = Math.max(this.#newest, this.#now());
    return this.#newest;
  }

  /** An epoch that was read or heard of: a later one than ours is a flush by another evalgate. */
  #see(epoch: number): void {
    if (epoch <= this.#epoch) return;
    // Until then it is only the first epoch that we see.
    if (!this.#owesReadBack) {
      this.#counters.flushesHeard++;
      this.#log.info({ epoch }, 'scripts flushed by another evalgate');
    }
    this.#raise(epoch);
  }

  #raise(epoch: number): void {
    this.#epoch = epoch;
    this.#newest = Math.max(this.#newest, epoch);
    this.#registry.dropOlder(epoch);
    this.#onFlushed();
  }

  // ── telling and removing ────────────────────────────────────────────────────────────────────────────────────

  /** Settles when the others know, as far as the channel tells, or it takes too long. */
  async #announce(announcement: Announcement): Promise<void> {
    await this.#health.try('announce', () => this.#store.announce(announcement));
  }

  async #removeOlder(): Promise<void> {
    if (this.#owesEpoch || this.#isRemoving) return;
    this.#isRemoving = true;
    const epoch = this.#epoch;
    try {
      await this.#store.removeOlder(epoch);
      if (epoch === this.#epoch) this.#owesRemoval = false;
    } catch (error) {
      this.#health.onFailure('remove flushed scripts', error);
    }
    this.#isRemoving = false;
  }

  // ── the tick ────────────────────────────────────────────────────────────────────────────────────────────────

  async #tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    if (await this.#health.try('look at the epoch', () => this.#alignEpoch())) await this.#catchUp();
    this.#isTicking = false;
  }

  async #alignEpoch(): Promise<void> {
    const stored = await this.#store.epoch();
    this.#see(stored);
    if (stored < this.#epoch) {
      await this.#store.keepEpoch(this.#epoch);
      // Emptied, or it lost its last writes: scripts may be gone as well. If it was only owed a flush, they are not.
      if (!this.#owesEpoch) this.#sweep.begin();
    }
    this.#owesEpoch = false;
  }

  async #catchUp(): Promise<void> {
    const due = this.#sweep.next(this.#kept);
    const isSwept = due.length === 0 || (await this.#health.try('look for scripts', () => this.#findLost(due)));
    if (!isSwept) this.#sweep.begin();
    await this.#unsaved.writeAll();
    if (this.#owesRemoval) void this.#removeOlder();
    if (this.#owesReadBack) await this.#readBack();
    if (isSwept && this.#unsaved.isEmpty && !this.#owesReadBack) this.#health.onCaughtUp();
  }

  async #findLost(due: readonly Script[]): Promise<void> {
    const missing = new Set(await this.#store.missing(due));
    for (const script of due) {
      if (!missing.has(script.sha) || this.#kept.get(script.sha) !== script) continue;
      this.#unsaved.add(script);
      this.#counters.writtenBack++;
    }
  }
}
