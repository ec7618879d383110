/**
 * SCAN and RANDOMKEY: commands that walk the shards one by one.
 */
import type { Shard } from '../cluster/topology.ts';
import { isErrorReply } from '../plan/merge.ts';
import { ANY_SLOT } from '../plan/plan.ts';
import { nextScanCursor, parseScanCursor } from '../plan/scan-cursor.ts';
import { elementsOf, isNull, textOf } from '../resp/elements.ts';
import { EMPTY_ARRAY, encodeArray, encodeBulk, encodeNull } from '../resp/encode.ts';
import { EVALGATE, errorLine, REDIS } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Dispatcher } from './dispatcher.ts';
import { FanOut } from './fan-out.ts';

const CURSOR = 1;
const NO_TOPOLOGY = errorLine(EVALGATE.noTopology);
/** Not the node's to say: it takes blanks and signs (`strtoul`), and its own cursor would reach the client. */
const INVALID_CURSOR = errorLine(REDIS.invalidCursor);

/** One step of SCAN: the cursor says which shard is asked, and with which cursor of its own. */
export function startScan(dispatcher: Dispatcher, request: Request): void {
  const position = parseScanCursor(request.argText(CURSOR));
  if (position === undefined) return dispatcher.session.reply(INVALID_CURSOR);
  const { shards } = dispatcher.session.topology;
  const shard = shards[position.shard];
  const parent = begin(dispatcher);
  if (shard === undefined) {
    const isEmpty = shards.length === 0;
    const over = encodeArray([encodeBulk('0'), EMPTY_ARRAY]);
    return dispatcher.session.deliver(parent, isEmpty ? NO_TOPOLOGY : over);
  }
  askShard(dispatcher, { parent, shard, frame: withCursor(request, position.nodeCursor) }, (reply) => {
    dispatcher.session.deliver(parent, isErrorReply(reply) ? reply : scanReply(reply, position.shard, shards.length));
  });
}

/** The request with another cursor. */
function withCursor(request: Request, cursor: string): Buffer {
  const { bytes, start } = request;
  return Buffer.concat([
    bytes.subarray(start, request.headerStart(CURSOR)),
    encodeBulk(cursor),
    bytes.subarray(request.headerStart(CURSOR + 1), request.end),
  ]);
}

function scanReply(reply: Buffer, shard: number, shardCount: number): Buffer {
  const [cursor, keys] = elementsOf(reply);
  const next = cursor === undefined ? undefined : nextScanCursor(shard, shardCount, textOf(cursor));
  if (next === undefined || keys === undefined) return errorLine(EVALGATE.scanShards);
  return encodeArray([encodeBulk(next), keys]);
}

/** RANDOMKEY: the shards in random order, until one has a key. */
export function startRandomKey(dispatcher: Dispatcher, request: Request): void {
  const parent = begin(dispatcher);
  // What the client sends next (FLUSHALL) must not overtake the later questions.
  dispatcher.session.holdOthers(parent);
  const shards = shuffled(dispatcher.session.topology.shards);
  const frame = Buffer.from(request.bytes.subarray(request.start, request.end));
  const askNext = (): void => {
    const shard = shards.pop();
    if (shard === undefined)
      return dispatcher.session.deliver(parent, encodeNull(dispatcher.session.standing.access.protocol));
    askShard(dispatcher, { parent, shard, frame }, (reply) => {
      if (isNull(reply) && shards.length > 0) askNext();
      else dispatcher.session.deliver(parent, reply);
    });
  };
  if (shards.length === 0) dispatcher.session.deliver(parent, NO_TOPOLOGY);
  else askNext();
}

function begin(dispatcher: Dispatcher): Exchange {
  const parent = dispatcher.newExchange(dispatcher.session.runtime.planner.command, ANY_SLOT);
  dispatcher.session.expect(parent);
  return parent;
}

interface Question {
  readonly parent: Exchange;
  readonly shard: Shard;
  readonly frame: Buffer;
}

function askShard(dispatcher: Dispatcher, { parent, shard, frame }: Question, onReply: (reply: Buffer) => void): void {
  const link = dispatcher.links.to(shard.primary);
  const fanOut = new FanOut(parent, 1, { onComplete: ([reply]) => onReply(reply ?? NO_TOPOLOGY) });
  const source = { bytes: frame, start: 0, end: frame.length };
  dispatcher.sendPart(fanOut, 0, { link, connection: link.take(), source });
}

function shuffled<T>(values: readonly T[]): T[] {
  const copy = [...values];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}
