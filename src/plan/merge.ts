/**
 * Merges the replies of many nodes into one, by the response policy that the command's tips give
 * (https://redis.io/docs/latest/develop/reference/command-tips/). Replies are whole frames in RESP2.
 *
 * Without a policy: arrays are joined (KEYS), anything else is the first reply.
 */
import type { ResponsePolicy } from '../command/spec.ts';
import { encodeArray, encodeInteger } from '../resp/encode.ts';
import { ReplyFramer } from '../resp/reply-framer.ts';

const MINUS = 0x2d;
const STAR = 0x2a;
const INTEGER = /^:[+-]?\d+\r\n$/;

export function isErrorReply(reply: Uint8Array): boolean {
  return reply[0] === MINUS;
}

/** The merged reply; undefined when the replies do not fit the policy. At least one reply must be given. */
export function merge(policy: ResponsePolicy, replies: readonly Buffer[]): Buffer | undefined {
  const error = replies.find(isErrorReply);
  const first = replies[0];
  if (policy === 'one_succeeded') return replies.find((reply) => !isErrorReply(reply)) ?? first;
  if (error !== undefined) return error;
  switch (policy) {
    case 'all_succeeded':
      return first;
    case 'agg_logical_and':
      return aggregate(replies, (a, b) => (a !== 0n && b !== 0n ? 1n : 0n));
    case 'agg_logical_or':
      return aggregate(replies, (a, b) => (a !== 0n || b !== 0n ? 1n : 0n));
    case 'agg_min':
      return aggregate(replies, (a, b) => (a < b ? a : b));
    case 'agg_max':
      return aggregate(replies, (a, b) => (a > b ? a : b));
    case 'agg_sum':
      return aggregate(replies, (a, b) => a + b);
    case 'special':
    case 'none':
      return replies.every((reply) => reply[0] === STAR) ? joined(replies) : first;
  }
}

type Fold = (a: bigint, b: bigint) => bigint;

/** Integers, or arrays of integers element by element (SCRIPT EXISTS, WAITAOF). */
function aggregate(replies: readonly Buffer[], fold: Fold): Buffer | undefined {
  const rows = replies.map(integersOf);
  const width = rows[0]?.length;
  if (width === undefined || !rows.every((row) => row !== undefined && row.length === width)) return undefined;
  const folded: Buffer[] = [];
  for (let column = 0; column < width; column++) {
    const values = rows.map((row) => row?.[column] ?? 0n);
    folded.push(encodeInteger(values.reduce(fold)));
  }
  return replies[0]?.[0] === STAR ? encodeArray(folded) : folded[0];
}

function integersOf(reply: Buffer): bigint[] | undefined {
  const elements = reply[0] === STAR ? elementsOf(reply) : [reply];
  const texts = elements.map((element) => element.toString('latin1'));
  return texts.every((text) => INTEGER.test(text)) ? texts.map((text) => BigInt(text.slice(1, -2))) : undefined;
}

function joined(replies: readonly Buffer[]): Buffer {
  return encodeArray(replies.flatMap(elementsOf));
}

/** The elements of an array frame, as frames. A null array has none. */
export function elementsOf(array: Buffer): Buffer[] {
  const headerEnd = array.indexOf('\r\n') + 2;
  const framer = new ReplyFramer(array.length);
  framer.push(array.subarray(headerEnd));
  const elements: Buffer[] = [];
  while (framer.next() === 'reply') elements.push(framer.bytes.subarray(framer.start, framer.end));
  return elements;
}

export interface SplitReply {
  readonly reply: Buffer;
  /** Which of the request's keys the part held, in the order of its elements. */
  readonly keys: readonly number[];
}

/**
 * Merges the parts of a split request: by the policy, or, without one, the elements in the order of the keys (MGET).
 * Undefined when the replies do not fit.
 */
export function mergeSplit(policy: ResponsePolicy, parts: readonly SplitReply[]): Buffer | undefined {
  const replies = parts.map((part) => part.reply);
  if (policy !== 'none' || replies.some(isErrorReply)) return merge(policy, replies);
  const ordered: Buffer[] = [];
  for (const { reply, keys } of parts) {
    const elements = reply[0] === STAR ? elementsOf(reply) : [];
    if (elements.length !== keys.length) return undefined;
    keys.forEach((key, i) => {
      ordered[key] = elements[i] as Buffer;
    });
  }
  return encodeArray(ordered);
}
