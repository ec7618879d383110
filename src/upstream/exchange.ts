/**
 * One request in flight. It stands in the FIFO of its session, which decides the order of replies, and in the FIFO of
 * a connection, which decides whose reply comes next; it owns the bytes of its request until its reply is settled,
 * because it may have to be sent again.
 */

import type { Node } from '../cluster/topology.ts';
import type { Command } from '../command/table.ts';
import type { Script } from '../script/script.ts';
import type { Batch } from './batch.ts';
import type { Connection } from './connection.ts';
import type { Link } from './link.ts';

/** Why there is no reply: not the same as an error reply. */
export interface Failure {
  /** `not_sent`, and `refused` (the node does not take the login): it did not run. All others: it may have run. */
  readonly kind: 'not_sent' | 'refused' | 'lost' | 'silent' | 'desynchronized' | 'too_large';
  readonly node: Node;
  readonly reason: string;
}

/** Who is told of replies and failures. */
export interface Sink {
  /** A whole reply frame stands in bytes [start, end): borrowed until return. */
  onReply(exchange: Exchange, bytes: Buffer, start: number, end: number): void;
  onFailure(exchange: Exchange, failure: Failure): void;
  /** Its connection answers what it has been sent, and then nothing for long: what comes next should not go there. */
  onLent?(): void;
}

/** A script or function call. Its bytes from numkeys on are the same in every form; the head is exchanged. */
export interface Call {
  /** What the client sent. */
  readonly form: CallForm;
  readonly isReadOnly: boolean;
  readonly argc: number;
  readonly keyCount: number;
  /** The script, when it is known. */
  script: Script | undefined;
  /** The form in which the exchange's bytes stand: that of the last attempt. */
  bytesForm: CallForm;
  /** Offset from the exchange's `start` to the header of numkeys. */
  tail: number;
  /** Bytes from there to behind the last key. */
  readonly keysBytes: number;
  /** It was healed, which happens once: the body goes up whatever the marks say. */
  mustSendBody: boolean;
}

export type CallForm = 'eval' | 'evalsha' | 'function';

/** What a request is a part of, when one request of a client became many. */
export interface PartOf {
  readonly fanOut: { collect(index: number, reply: Uint8Array): void };
  readonly index: number;
  /** Meant for one node, whatever it answers: a broadcast. */
  readonly isFixed: boolean;
}

/** Nobody asks: replies to requests of our own that only prepare the next one. */
export const IGNORE: Sink = { onReply: () => {}, onFailure: () => {} };

const KEEP_FREE = 16 * 1024;
const free: Exchange[] = [];

export class Exchange {
  sink: Sink;
  /** Position among the session's requests. */
  seq: number;
  command: Command | undefined;
  /** Slot of its keys; ANY_SLOT without keys. */
  slot: number;
  call: Call | undefined = undefined;
  part: PartOf | undefined = undefined;
  /** The session's link that it went over last. */
  link: Link | undefined = undefined;
  connection: Connection | undefined = undefined;
  /** Since when, by the turn's clock, it is the next to be answered on its connection; before that, since it was sent. */
  sinceMs = 0;
  /** When it was taken from its client, by the turn's `lastUs`; 0 before it is sent or waits to be. */
  takenUs = 0;
  /** The bytes of the request as it went up: [start, end) of the batch's buffer. */
  batch: Batch | undefined = undefined;
  start = 0;
  end = 0;
  /** What it counts as bytes in flight, whatever form it goes up in later. */
  countedBytes = 0;
  /** The reply, once it is there and until those before it are: [replyStart, replyEnd) of the batch's buffer. */
  reply: Batch | undefined = undefined;
  replyStart = 0;
  replyEnd = 0;
  /** It only reads, and goes to a replica, or went there last: the primary may be asked for the same at any time. */
  isReplicaRead = false;
  /** The client does not want the reply (CLIENT REPLY): it keeps its place in the order, and nothing leaves. */
  isMuted = false;

  constructor(sink: Sink, seq: number, command: Command | undefined, slot: number) {
    this.sink = sink;
    this.seq = seq;
    this.command = command;
    this.slot = slot;
  }

  /** An exchange from the free list: with thousands in flight, making new ones was a quarter of the CPU. */
  static take(sink: Sink, seq: number, command: Command | undefined, slot: number): Exchange {
    const exchange = free.pop();
    if (exchange === undefined) return new Exchange(sink, seq, command, slot);
    exchange.sink = sink;
    exchange.seq = seq;
    exchange.command = command;
    exchange.slot = slot;
    return exchange;
  }

  /** Gives the exchange back. Only the reply queue does, when its reply has left: nobody refers to it then. */
  recycle(): void {
    this.sink = IGNORE;
    this.command = undefined;
    this.call = undefined;
    this.link = undefined;
    this.connection = undefined;
    this.takenUs = 0;
    this.countedBytes = 0;
    this.start = 0;
    this.end = 0;
    this.isReplicaRead = false;
    this.isMuted = false;
    if (free.length < KEEP_FREE) free.push(this);
  }

  /** Holds the bytes that were just appended to a batch, in place of those before. */
  ownLast(batch: Batch, bytes: number): void {
    batch.hold();
    this.batch?.release();
    this.batch = batch;
    this.end = batch.used;
    this.start = batch.used - bytes;
  }

  releaseBytes(): void {
    this.batch?.release();
    this.batch = undefined;
  }
}
