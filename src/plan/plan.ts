/**
 * What is to be done with one request: the planner decides before the wire, the session only obeys.
 *
 * A plan is borrowed like the request it was made for: forward plans are interned and the script plan is one object
 * that is filled anew, so the common paths make no garbage.
 */

import { SLOT_COUNT } from '../cluster/slot.ts';
import type { ResponsePolicy } from '../command/spec.ts';
import type { Command } from '../command/table.ts';
import type { Script } from '../script/script.ts';

/** Any master will do. */
export const ANY_SLOT = -1;

/** Answer now: refusals, and replies that are always the same. */
export interface ReplyPlan {
  readonly kind: 'reply';
  readonly bytes: Buffer;
}

/** Concerns the client's own connection: the session does it. */
export interface LocalPlan {
  readonly kind: 'local';
  readonly command: Command;
}

/** To the owner of the slot, bytes untouched. */
export interface ForwardPlan {
  readonly kind: 'forward';
  readonly slot: number;
  /** A replica of the owner may answer. */
  readonly isReplicaRead: boolean;
}

/** A script or function call: to the owner of the slot, under C4's witness and C5's care. */
export interface CallPlan {
  readonly kind: 'call';
  /** ANY_SLOT for a function without keys. */
  slot: number;
  /** The script, when it is known; undefined for functions and for scripts that nobody knows or that are not held. */
  script: Script | undefined;
  /** What the client sent. */
  form: 'eval' | 'evalsha' | 'function';
  /** The read-only form of the command. */
  isReadOnly: boolean;
  /** Number of keys, for the witness. */
  keyCount: number;
  /** It only reads, so a replica of the owner may run it. */
  isReplicaRead: boolean;
}

/** One request for each slot; replies merged in the order of the keys. */
export interface SplitPlan {
  readonly kind: 'split';
  readonly parts: readonly Part[];
  readonly policy: ResponsePolicy;
  /** Replicas of the owners may answer. */
  readonly isReplicaRead: boolean;
}

export interface Part {
  readonly slot: number;
  readonly frame: Buffer;
  /** Which of the request's keys, in order, this part holds. */
  readonly keys: readonly number[];
}

/** To many nodes, bytes untouched; replies merged by the response policy. */
export interface BroadcastPlan {
  readonly kind: 'broadcast';
  readonly scope: 'shards' | 'nodes';
  readonly policy: ResponsePolicy;
}

/** SCRIPT LOAD, EXISTS, FLUSH, SHOW and KILL, FUNCTION KILL and STATS: many nodes and the registry. */
export interface ScriptCommandPlan {
  readonly kind: 'script_command';
  readonly action: 'load' | 'exists' | 'flush' | 'show' | 'kill' | 'stats';
}

/** Goes its own way over the shards: one by one, or to those that the session has written to. */
export interface WalkPlan {
  readonly kind: 'scan' | 'randomkey' | 'wait';
}

/** MULTI, EXEC, DISCARD, WATCH, UNWATCH; for WATCH the slot of its keys. */
export interface TransactionPlan {
  readonly kind: 'transaction';
  readonly action: 'multi' | 'exec' | 'discard' | 'watch' | 'unwatch';
  readonly slot: number;
}

/** May block at the owner of the slot for as long as its timeout says. */
export interface BlockPlan {
  readonly kind: 'block';
  readonly slot: number;
  /** Index of the argument with the timeout; 0: not known. */
  readonly timeoutIndex: number;
  readonly unit: 's' | 'ms';
}

/** SUBSCRIBE and its kin. */
export interface SubscriptionPlan {
  readonly kind: 'subscription';
  readonly command: Command;
  /** Of the channels of SSUBSCRIBE and SUNSUBSCRIBE; else ANY_SLOT. */
  readonly slot: number;
}

/** PUBSUB: every node is asked. */
export interface PubSubPlan {
  readonly kind: 'pubsub';
  readonly command: Command;
}

/** Close the connection without a word. */
export interface ClosePlan {
  readonly kind: 'close';
}

export type Plan =
  | ReplyPlan
  | LocalPlan
  | ForwardPlan
  | CallPlan
  | SplitPlan
  | BroadcastPlan
  | ScriptCommandPlan
  | WalkPlan
  | TransactionPlan
  | BlockPlan
  | SubscriptionPlan
  | PubSubPlan
  | ClosePlan;

const FORWARD: ForwardPlan[] = [];
for (let slot = ANY_SLOT; slot < SLOT_COUNT; slot++)
  FORWARD.push(Object.freeze({ kind: 'forward', slot, isReplicaRead: false }));
/** Made when they are first needed. */
const READS: ForwardPlan[] = [];

/** The forward plan of a slot, or of ANY_SLOT. */
export function forwardTo(slot: number): ForwardPlan {
  return FORWARD[slot + 1] as ForwardPlan;
}

/** The forward plan of a slot from which a replica may answer. */
export function readFrom(slot: number): ForwardPlan {
  const known = READS[slot];
  if (known !== undefined) return known;
  const plan: ForwardPlan = Object.freeze({ kind: 'forward', slot, isReplicaRead: true });
  READS[slot] = plan;
  return plan;
}
