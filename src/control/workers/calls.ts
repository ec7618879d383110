/**
 * What a worker and the process that has it ask of each other. Everything is plain data, carried by structured clone:
 * bytes stay bytes.
 *
 *     worker ── WorkerAsks ──▶ primary ── PrimaryAsks ──▶ worker
 */

import type { Sha } from '../../script/sha.ts';
import type { ListenAddress } from '../../session/listener.ts';
import type { SiblingCall, SiblingCalls } from '../../session/siblings.ts';
import type { FactKind, FactKinds } from '../admin/facts.ts';
import type { Config } from '../config.ts';
import type { Change } from '../config-diff.ts';
import type { Announcement, StoredScript } from '../stores/script-store.ts';

/** What a worker is to be; the answer to its first question. */
export interface Assignment {
  readonly config: Config;
  /** Where its clients come from. */
  readonly address: ListenAddress;
  /** From 0, the same for who takes its place. */
  readonly index: number;
  readonly workers: number;
  /** How many were in this place before. */
  readonly generation: number;
}

/** An operation for every other worker. */
export interface SiblingQuestion<K extends SiblingCall = SiblingCall> {
  readonly call: K;
  readonly argument: SiblingCalls[K]['argument'];
}

/** A question of the admin port. */
export interface FactQuestion<K extends FactKind = FactKind> {
  readonly kind: K;
  readonly query: FactKinds[K]['query'];
}

/** What became of a client that a worker was given: it has so many now; or it stops, and takes none. */
export type Taken = { readonly kind: 'taken'; readonly clients: number } | { readonly kind: 'declined' };

type Call<Argument, Answer> = { readonly argument: Argument; readonly answer: Answer };

/** What came of a start or of preparing another config: an error's code and problems would not survive the way as an error. */
export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly problems: readonly string[] };

export type WorkerAsks = {
  readonly assignment: Call<undefined, Assignment>;
  /** It serves, and knows so many shards of the cluster; or it cannot. */
  readonly started: Call<Outcome<number>, undefined>;
  /** So many clients it has now. */
  readonly clients: Call<number, undefined>;
  readonly siblings: Call<SiblingQuestion, readonly unknown[]>;
  /** Answered when every other worker has taken note. */
  readonly announce: Call<Announcement, undefined>;
  /** A script that another worker holds. */
  readonly findElsewhere: Call<Sha, StoredScript | undefined>;
  readonly storeEpoch: Call<undefined, number>;
  readonly storeKeepEpoch: Call<number, undefined>;
  readonly storePut: Call<readonly StoredScript[], undefined>;
  readonly storeFind: Call<Sha, StoredScript | undefined>;
  readonly storeShas: Call<undefined, readonly Sha[]>;
  readonly storeMissing: Call<readonly Pick<StoredScript, 'sha' | 'epoch'>[], readonly Sha[]>;
  readonly storeRemoveOlder: Call<number, undefined>;
};

export type PrimaryAsks = {
  /** A client, whose connection goes along; the others have so many. */
  readonly take: Call<number, Taken>;
  readonly operate: Call<SiblingQuestion, unknown>;
  readonly announced: Call<Announcement, undefined>;
  readonly find: Call<Sha, StoredScript | undefined>;
  readonly tell: Call<FactQuestion, unknown>;
  /** Checks another config, and changes nothing; the changes that do not show in it. */
  readonly prepare: Call<Config, Outcome<readonly Change[]>>;
  /** Goes by what was prepared, from now on. */
  readonly commit: Call<undefined, Outcome<undefined>>;
  /** Answered when it is about to end. */
  readonly stop: Call<undefined, undefined>;
};
