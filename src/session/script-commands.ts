/**
 * SCRIPT LOAD, EXISTS, FLUSH, SHOW and KILL, FUNCTION KILL and STATS: many nodes, the registry, and one reply that is true
 * for the whole cluster (SPEC 4).
 *
 *     LOAD    every master; sha when all answered, or 1 s after the first compiled it; then the registry and the store
 *     FLUSH   every node; then the registry and the store. Masters not reached within 2 s are named, and flushed when they are back
 *     EXISTS  1 for what the registry holds, else the AND over all masters
 *     SHOW    the body that the registry holds, else what a master says
 *     KILL    every master, and replicas that are read from, over connections that carry nothing else: a busy node reads no others
 *     STATS   likewise; of the busy node if one is
 */
import type { Node } from '../cluster/topology.ts';
import { isErrorReply, merge } from '../plan/merge.ts';
import { ANY_SLOT, type ScriptCommandPlan } from '../plan/plan.ts';
import { elementsOf } from '../resp/elements.ts';
import { encodeArray, encodeBulk, encodeInteger, OK } from '../resp/encode.ts';
import { EVALGATE, errorLine } from '../resp/errors.ts';
import type { Request } from '../resp/request.ts';
import type { Exchange } from '../upstream/exchange.ts';
import { askAlone } from './ask-alone.ts';
import type { Dispatcher, Target } from './dispatcher.ts';
import { FanOut } from './fan-out.ts';

const LOAD_PATIENCE_MS = 1000;
const FLUSH_PATIENCE_MS = 2000;
const ARGUMENT = 2;
/** Which replies tell most, best first; when one of the first kind has come, the others are not waited for. */
const KILL_ORDER = [/^\+OK/, /^-UNKILLABLE/, /^-BUSY/, /^-NOTBUSY/];
/** A function runs (a map, which RESP2 writes as an array); a script runs; nothing does. */
const STATS_ORDER = [/^.\d+\r\n\$14\r\nrunning_script\r\n[*%]\d/, /^-BUSY/, /^[^-]/];
/** Enough of a reply to tell. */
const TELLING_BYTES = 64;

export function runScriptCommand(dispatcher: Dispatcher, action: ScriptCommandPlan['action'], request: Request): void {
  switch (action) {
    case 'load':
      return load(dispatcher, request);
    case 'exists':
      return exists(dispatcher, request);
    case 'flush':
      return flush(dispatcher, request);
    case 'show':
      return show(dispatcher, request);
    case 'kill':
      return askAll(dispatcher, request, KILL_ORDER);
    case 'stats':
      return askAll(dispatcher, request, STATS_ORDER);
  }
}

/** The exchange that answers the request; nothing else is dispatched until then. */
function begin(dispatcher: Dispatcher): Exchange {
  const parent = dispatcher.newExchange(dispatcher.session.runtime.planner.command, ANY_SLOT);
  dispatcher.session.expect(parent);
  dispatcher.session.holdOthers(parent);
  return parent;
}

function noNode(dispatcher: Dispatcher, parent: Exchange): void {
  dispatcher.session.deliver(parent, errorLine(EVALGATE.noTopology));
}

/** Runs the step once: by whoever comes first, the event or the clock. */
function once(step: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    step();
  };
}

/** Delivers the reply when the store has done its part, which takes a bounded time. */
function deliverAfter(dispatcher: Dispatcher, done: Promise<void>, what: { parent: Exchange; reply: Buffer }): void {
  const { session } = dispatcher;
  done.then(() => session.deliver(what.parent, what.reply)).catch((error: unknown) => session.runtime.onFault(error));
}

// ── LOAD ────────────────────────────────────────────────────────────────────────────────────────────────────────

function load(dispatcher: Dispatcher, request: Request): void {
  const { session } = dispatcher;
  const { registry } = session.runtime;
  const body = request.argCopy(ARGUMENT);
  const isHeld = registry.findByBody(body, 0, body.length)?.origin === 'load';
  if (!isHeld && !registry.hasRoomToLoad(body.length)) return session.reply(errorLine(EVALGATE.registryFull));
  const parent = begin(dispatcher);
  const targets = dispatcher.targets('shards');
  if (targets.length === 0) return noNode(dispatcher, parent);
  let timer: NodeJS.Timeout | undefined;
  const finish = once(() => {
    clearTimeout(timer);
    const replies = fanOut.replies.filter((reply) => reply !== undefined);
    const compiled = replies.find((reply) => !isErrorReply(reply));
    const refusal =
      replies.find((reply) => reply.toString('latin1', 0, 27) === '-ERR Error compiling script') ?? replies[0];
    if (compiled === undefined && refusal !== undefined) return session.deliver(parent, refusal);
    const script = registry.load(body);
    if (script === undefined) return session.deliver(parent, errorLine(EVALGATE.registryFull));
    session.runtime.warming.onLoaded(script);
    deliverAfter(dispatcher, session.runtime.keeper.keep(script), { parent, reply: encodeBulk(script.sha) });
  });
  const fanOut = new FanOut(parent, targets.length, {
    onPart: (_, reply) => {
      if (!isErrorReply(reply)) timer ??= setTimeout(() => session.guard(finish), LOAD_PATIENCE_MS);
    },
    onComplete: finish,
  });
  sendAll(dispatcher, fanOut, { targets, request });
}

function sendAll(dispatcher: Dispatcher, fanOut: FanOut, what: { targets: Target[]; request: Request }): void {
  what.targets.forEach((target, index) => {
    dispatcher.sendPart(fanOut, index, { ...target, source: what.request });
  });
}

// ── EXISTS ──────────────────────────────────────────────────────────────────────────────────────────────────────

function exists(dispatcher: Dispatcher, request: Request): void {
  const { session } = dispatcher;
  const { registry } = session.runtime;
  const isKnown: boolean[] = [];
  for (let i = ARGUMENT; i < request.argc; i++) {
    isKnown.push(registry.find(request.bytes, request.argStart(i), request.argEnd(i)) !== undefined);
  }
  const one = encodeInteger(1);
  // A user's ACL has the first word: only the nodes know it.
  const mayAnswer = session.standing.access.identity.kind === 'own' && isKnown.length > 0;
  if (mayAnswer && isKnown.every(Boolean)) return session.reply(encodeArray(isKnown.map(() => one)));
  const parent = begin(dispatcher);
  const targets = dispatcher.targets('shards');
  if (targets.length === 0) return noNode(dispatcher, parent);
  const fanOut = new FanOut(parent, targets.length, {
    onComplete: (replies) => {
      const merged = merge('agg_logical_and', replies);
      const isArray = merged !== undefined && !isErrorReply(merged);
      const elements = isArray ? elementsOf(merged).map((element, i) => (isKnown[i] ? one : element)) : [];
      dispatcher.settleMerged(parent, isArray ? encodeArray(elements) : merged, '');
    },
  });
  sendAll(dispatcher, fanOut, { targets, request });
}

// ── SHOW ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Whether a user may see it, only a node can say: NOSCRIPT means that the user may, and that the node lacks it. */
function show(dispatcher: Dispatcher, request: Request): void {
  const { session } = dispatcher;
  const script = session.runtime.registry.find(request.bytes, request.argStart(ARGUMENT), request.argEnd(ARGUMENT));
  if (script === undefined) return dispatcher.forwardAnywhere(request);
  if (session.standing.access.identity.kind === 'own') return session.reply(encodeBulk(script.body));
  const parent = begin(dispatcher);
  const [target] = dispatcher.targets('shards');
  if (target === undefined) return noNode(dispatcher, parent);
  const fanOut = new FanOut(parent, 1, {
    onComplete: ([reply = OK]) => {
      const isMissing = reply.toString('latin1', 0, 10) === '-NOSCRIPT ';
      session.deliver(parent, isMissing ? encodeBulk(script.body) : reply);
    },
  });
  dispatcher.sendPart(fanOut, 0, { ...target, source: request });
}

// ── FLUSH ───────────────────────────────────────────────────────────────────────────────────────────────────────

function flush(dispatcher: Dispatcher, request: Request): void {
  const { session } = dispatcher;
  const isValid =
    request.argc === 2 ||
    (request.argc === 3 && (request.isWord(ARGUMENT, 'sync') || request.isWord(ARGUMENT, 'async')));
  const targets = isValid ? dispatcher.targets('nodes') : [];
  if (targets.length === 0) session.runtime.warming.release();
  if (!isValid) return dispatcher.forwardAnywhere(request);
  const parent = begin(dispatcher);
  if (targets.length === 0) return noNode(dispatcher, parent);
  let timer: NodeJS.Timeout | undefined;
  const finish = once(() => {
    clearTimeout(timer);
    finishFlush(dispatcher, parent, { targets, replies: fanOut.replies });
  });
  const fanOut = new FanOut(parent, targets.length, {
    onPart: (index) => targets[index]?.link.pool.dropAllMarks(),
    onComplete: finish,
  });
  timer = setTimeout(() => session.guard(finish), FLUSH_PATIENCE_MS);
  sendAll(dispatcher, fanOut, { targets, request });
  for (const { link } of targets) link.pool.dropAllMarks();
}

interface Flushed {
  readonly targets: readonly Target[];
  readonly replies: readonly (Buffer | undefined)[];
}

/** The registry and the store follow as soon as one node is flushed; nothing happens when all refused. */
function finishFlush(dispatcher: Dispatcher, parent: Exchange, flushed: Flushed): void {
  const { session } = dispatcher;
  const { targets, replies } = flushed;
  const { keeper, warming } = session.runtime;
  const first = replies.find((reply) => reply !== undefined);
  if (!targets.some((_, index) => isFlushed(flushed, index)) && first !== undefined) {
    warming.release();
    return session.deliver(parent, first);
  }
  const reply = flushReply(dispatcher, flushed);
  const done = keeper.flush();
  warming.release();
  deliverAfter(dispatcher, done, { parent, reply });
}

function isFlushed({ replies }: Flushed, index: number): boolean {
  const reply = replies[index];
  return reply !== undefined && !isErrorReply(reply);
}

/** OK when every master is flushed. */
function flushReply(dispatcher: Dispatcher, flushed: Flushed): Buffer {
  const { targets } = flushed;
  const masters = new Set(dispatcher.session.topology.shards.map((shard) => shard.primary.address));
  const missed: string[] = [];
  targets.forEach(({ link }, index) => {
    if (isFlushed(flushed, index)) return;
    link.pool.facts.owesFlush = true;
    if (masters.has(link.pool.node.address)) missed.push(link.pool.node.address);
  });
  return missed.length === 0 ? OK : errorLine(EVALGATE.notFlushed(missed.join(', ')));
}

// ── KILL, STATS ─────────────────────────────────────────────────────────────────────────────────────────────────

/** Asks every master, and answers what tells most. */
function askAll(dispatcher: Dispatcher, request: Request, order: readonly RegExp[]): void {
  const { session } = dispatcher;
  const parent = begin(dispatcher);
  const nodes = [...session.topology.shards.map((shard) => shard.primary), ...replicasInUse(dispatcher)];
  if (nodes.length === 0) return noNode(dispatcher, parent);
  const frame = Buffer.from(request.bytes.subarray(request.start, request.end));
  const finish = once(() => {
    const replies = fanOut.replies.filter((reply) => reply !== undefined);
    session.deliver(parent, mostTelling(replies, order));
  });
  const fanOut = new FanOut(parent, nodes.length, {
    onPart: (_, reply) => {
      if (rankOf(reply, order) === 0) finish();
    },
    onComplete: finish,
  });
  nodes.forEach((node, index) => {
    askAlone(dispatcher.session, { node, frame }, (reply) => fanOut.collect(index, reply));
  });
}

/** Replicas that may run a script of ours. */
function replicasInUse({ session }: Dispatcher): Node[] {
  const { upstream } = session.runtime;
  const replicas = session.topology.shards.flatMap((shard) => shard.replicas);
  return replicas.filter((node) => upstream.factsOf(node).hasConnection && upstream.ownOf(node).isReplica);
}

function rankOf(reply: Buffer, order: readonly RegExp[]): number {
  const text = reply.toString('latin1', 0, TELLING_BYTES);
  const at = order.findIndex((begin) => begin.test(text));
  return at < 0 ? order.length : at;
}

function mostTelling(replies: readonly Buffer[], order: readonly RegExp[]): Buffer {
  const [best] = [...replies].sort((a, b) => rankOf(a, order) - rankOf(b, order));
  return best ?? OK;
}
