/**
 * Where scripts outlive the process. A store only keeps what it is given; what that means (flushes, write-backs, who is
 * told) is decided by StoreKeeper, its only caller.
 *
 * An entry is stamped with the epoch in which it was taken in. A flush raises the epoch of the store, and from then on
 * every entry with a lower stamp is void, whether or not it is already removed. All operations may be repeated.
 *
 * Every method rejects when the store does not answer; the caller bounds how long it waits.
 */
import type { Origin } from '../../script/script.ts';
import type { Sha } from '../../script/sha.ts';

export interface StoredScript {
  readonly sha: Sha;
  /** Never altered by a store, nor by who got it from one. */
  readonly body: Buffer;
  readonly origin: Origin;
  readonly epoch: number;
}

/** What other evalgates of the store are told, and tell. */
export type Announcement =
  | { readonly kind: 'loaded'; readonly sha: Sha }
  | { readonly kind: 'flushed'; readonly epoch: number };

export interface ScriptStore {
  /** For the log. */
  readonly name: string;
  /** Whether it is there at all; the first thing that is called. `onAnnouncement` hears of others, if there is a channel. */
  open(onAnnouncement: (announcement: Announcement) => void): Promise<void>;
  /** The epoch in force; 0 when it has none, because it is new or was emptied. */
  epoch(): Promise<number>;
  /** Makes the epoch at least this one. */
  keepEpoch(epoch: number): Promise<void>;
  /** Resolves when all are durable. An entry of a later epoch, or one of LOAD origin and the same, stays as it is. */
  put(scripts: readonly StoredScript[]): Promise<void>;
  /** Void entries too: the caller looks at the stamp. A damaged entry counts as none. */
  find(sha: Sha): Promise<StoredScript | undefined>;
  /** All entries, in pieces. */
  all(): AsyncIterable<readonly StoredScript[]>;
  /** Those of the scripts that are not there, or only with a lower stamp. */
  missing(scripts: readonly Pick<StoredScript, 'sha' | 'epoch'>[]): Promise<readonly Sha[]>;
  /** Removes entries with a lower stamp. */
  removeOlder(epoch: number): Promise<void>;
  /** Tells the others, as far as there is a channel to do it. */
  announce(announcement: Announcement): Promise<void>;
  close(): void;
}

/** A damaged entry was skipped: its name in the store, and what is wrong with it. */
export type OnDamaged = (entry: string, reason: string) => void;

/** Origin and stamp of an entry as the text `load 1732108790000`; undefined when it is anything else. */
export function parseStamp(text: string): { origin: Origin; epoch: number } | undefined {
  const [, origin, epoch] = /^(load|eval) (\d{1,16})$/.exec(text) ?? [];
  if (origin === undefined || !Number.isSafeInteger(Number(epoch))) return undefined;
  return { origin: origin as Origin, epoch: Number(epoch) };
}

export function formatStamp({ origin, epoch }: Pick<StoredScript, 'origin' | 'epoch'>): string {
  return `${origin} ${epoch}`;
}

/** An epoch as it was read; 0 for anything that is none. */
export function parseEpoch(text: string | null): number {
  const epoch = text !== null && /^\d{1,16}$/.test(text) ? Number(text) : 0;
  return Number.isSafeInteger(epoch) ? epoch : 0;
}

/** Whether an entry that is there stays, when another of the same sha comes. */
export function outranks(
  held: Pick<StoredScript, 'origin' | 'epoch'>,
  coming: Pick<StoredScript, 'origin' | 'epoch'>,
): boolean {
  if (held.epoch !== coming.epoch) return held.epoch > coming.epoch;
  return held.origin === 'load' && coming.origin === 'eval';
}
