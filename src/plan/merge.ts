/**
 * Merges the replies of many nodes into one, by the response policy that the command's tips give
 * (https://redis.io/docs/latest/develop/reference/command-tips/). Replies are whole frames of one protocol, RESP2 or
 * RESP3, and so is the merged one. Elements are copied as they are; attributes of a node's reply are left out of a reply
 * that is put together from many.
 *
 * Without a policy: arrays, sets and maps are joined (KEYS), anything else is the first reply.
 */
import type { ResponsePolicy } from '../command/spec.ts';
import { elementsOf, isAggregate, isNull, textOf, typeOf } from '../resp/elements.ts';
import { encodeArray, encodeInteger } from '../resp/encode.ts';

const MINUS = 0x2d;
const STAR = 0x2a;
const PERCENT = 0x25;
const INTEGER = /^[+-]?\d+$/;
const DOUBLE = /^[+-]?(?:inf|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)$/;

/** An error of RESP2, or the bulk error `!` of RESP3. */
export function isErrorReply(reply: Uint8Array): boolean {
  return reply[0] === MINUS || reply[0] === 0x21;
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
    case 'special':
    case 'none':
      return isJoinable(replies) ? joined(replies) : first;
    default:
      return aggregate(replies, FOLDS[policy]);
  }
}

/** Integers of any size, and doubles where one of the values is a double. */
interface Fold {
  readonly integers: (a: bigint, b: bigint) => bigint;
  readonly doubles: (a: number, b: number) => number;
  /** Says yes or no, whatever went in. */
  readonly isLogical?: true;
}

const FOLDS: Readonly<Record<`agg_${'logical_and' | 'logical_or' | 'min' | 'max' | 'sum'}`, Fold>> = {
  agg_logical_and: {
    integers: (a, b) => (a !== 0n && b !== 0n ? 1n : 0n),
    doubles: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
    isLogical: true,
  },
  agg_logical_or: {
    integers: (a, b) => (a !== 0n || b !== 0n ? 1n : 0n),
    doubles: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
    isLogical: true,
  },
  agg_min: { integers: (a, b) => (a < b ? a : b), doubles: (a, b) => Math.min(a, b) },
  agg_max: { integers: (a, b) => (a > b ? a : b), doubles: (a, b) => Math.max(a, b) },
  agg_sum: { integers: (a, b) => a + b, doubles: (a, b) => a + b },
};

/** Numbers, or arrays of numbers element by element (SCRIPT EXISTS, WAITAOF). */
function aggregate(replies: readonly Buffer[], fold: Fold): Buffer | undefined {
  const [first] = replies;
  if (first === undefined) return undefined;
  const isArray = typeOf(first) === STAR;
  const rows = replies.map((reply) => (typeOf(reply) === STAR ? elementsOf(reply) : [reply]));
  const width = rows[0]?.length ?? 0;
  if (!rows.every((row) => row.length === width)) return undefined;
  const folded: Buffer[] = [];
  for (let column = 0; column < width; column++) {
    const value = foldColumn(
      rows.map((row) => row[column] as Buffer),
      fold,
    );
    if (value === undefined) return undefined;
    folded.push(value);
  }
  return isArray ? encodeArray(folded) : folded[0];
}

function foldColumn(cells: readonly Buffer[], fold: Fold): Buffer | undefined {
  const types = new Set(cells.map((cell) => String.fromCharCode(typeOf(cell))));
  const values = cells.map(numberOf);
  if (!values.every((value) => value !== undefined)) return undefined;
  if (types.has(',')) {
    const folded = values.map(Number).reduce(fold.doubles);
    return fold.isLogical ? encodeInteger(folded) : encodeDouble(folded);
  }
  const folded = (values as bigint[]).reduce(fold.integers);
  if (types.size === 1 && types.has('#')) return Buffer.from(folded === 0n ? '#f\r\n' : '#t\r\n');
  const isBig = types.has('(') && !fold.isLogical;
  return isBig ? Buffer.from(`(${folded}\r\n`) : encodeInteger(folded);
}

/** The value of `:`, `(`, `#` or `,`; undefined for anything else. */
function numberOf(cell: Buffer): bigint | number | undefined {
  const text = textOf(cell);
  switch (String.fromCharCode(typeOf(cell))) {
    case ':':
    case '(':
      return INTEGER.test(text) ? BigInt(text) : undefined;
    case '#':
      return text === 't' ? 1n : 0n;
    case ',':
      return DOUBLE.test(text) ? Number(text.replace('inf', 'Infinity')) : undefined;
    default:
      return undefined;
  }
}

function encodeDouble(value: number): Buffer {
  return Buffer.from(`,${String(value).replace('Infinity', 'inf').replace('NaN', 'nan')}\r\n`);
}

function isJoinable(replies: readonly Buffer[]): boolean {
  return replies.some(isAggregate) && replies.every((reply) => isAggregate(reply) || isNull(reply));
}

/** The elements of all, in an aggregate of the type that the first one has; nulls have none. */
function joined(replies: readonly Buffer[]): Buffer {
  const elements = replies.flatMap(elementsOf);
  const type = typeOf(replies.find(isAggregate) as Buffer);
  const count = type === PERCENT ? elements.length / 2 : elements.length;
  return Buffer.concat([Buffer.from(`${String.fromCharCode(type)}${count}\r\n`), ...elements]);
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
    const elements = typeOf(reply) === STAR ? elementsOf(reply) : [];
    if (elements.length !== keys.length) return undefined;
    keys.forEach((key, i) => {
      ordered[key] = elements[i] as Buffer;
    });
  }
  return encodeArray(ordered);
}
