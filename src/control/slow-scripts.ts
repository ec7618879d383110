/**
 * `scripting.max_run_ms`: ends scripts and functions that have only read and run for longer, by the KILL of the server.
 *
 * A KILL ends whatever runs, so first it must be certain that it is ours. A node that runs a script for longer than its
 * `busy-reply-threshold` reads from all connections but that of the script, and answers BUSY. So, every 50 ms:
 *
 *     head of a connection too old, and a call in its queue ─▶ FUNCTION STATS on the control connection
 *         BUSY: a script runs ───▶ what only waits for it would have got its BUSY: a connection that stays without an
 *                                  answer, the only one to do so, from one BUSY to others, carries it
 *         names the function ────▶ ours if its arguments are those of a call there; it says for how long
 *         nothing runs ──────────▶ begin anew
 *
 * Replies to what ran before it in one read of the node wait for its end, so the call that runs need not be the head. It
 * has run for the threshold when the first BUSY comes, and for as long as BUSY came since: never killed too early, and
 * later by the threshold where CONFIG GET is not allowed. Its name comes from the call that gets the error.
 *
 * What remains: a call that ends by itself while the KILL is on its way, and a script of somebody else that begins in
 * that moment and runs beyond the threshold too.
 */
import type { Logger } from 'pino';
import type { Node } from '../cluster/topology.ts';
import type { Connection } from '../upstream/connection.ts';
import type { Exchange } from '../upstream/exchange.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { ControlClients } from './control-clients.ts';
import { fieldsOf } from './function-lists.ts';
import { argumentsOf, type CallName, KillWatch, nameOf } from './kill-watch.ts';
import { isReply } from './topology-source.ts';

const LOOK_EVERY_MS = 50;
/** A BUSY that was due comes within this. */
const CONFIRM_MS = 100;
const THRESHOLD_EVERY_MS = 10_000;
/** What the node has read of a request for certain, because it has read all before it. */
const SURELY_READ_BYTES = 65_536;
const MAX_LOOKED_AT = 10_000;

export interface SlowScriptsOptions {
  /** 0: nothing is killed. */
  readonly maxRunMs: number;
  readonly upstream: Upstream;
  readonly clients: ControlClients;
  readonly log: Logger;
}

/** What a node says that it runs. */
type Running =
  | { readonly kind: 'nothing' | 'unknown' | 'script' }
  | { readonly kind: 'function'; readonly command: readonly Buffer[]; readonly durationMs: number };

/** A connection that has not been answered since the node was BUSY first. */
interface Stuck {
  readonly connection: Connection;
  readonly head: Exchange;
  readonly headSinceMs: number;
  readonly busySinceMs: number;
}

export class SlowScripts {
  killedCount = 0;
  unkillableCount = 0;
  readonly #options: SlowScriptsOptions;
  #maxRunMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  readonly #asking = new Set<string>();
  readonly #stuck = new Map<string, Stuck>();
  /** Those that cannot be killed, until their connection is answered. */
  readonly #left = new WeakMap<Connection, Stuck>();
  /** `busy-reply-threshold` by address, and when it was asked for. */
  readonly #thresholds = new Map<string, { ms: number; readonly atMs: number }>();

  constructor(options: SlowScriptsOptions) {
    this.#options = options;
    this.use(options.maxRunMs);
  }

  /** Another time from now on; 0: nothing is killed. */
  use(maxRunMs: number): void {
    clearInterval(this.#timer);
    // Whoever is being asked about when this is switched off is not killed either.
    this.#maxRunMs = maxRunMs > 0 ? maxRunMs : Number.POSITIVE_INFINITY;
    this.#timer = maxRunMs > 0 ? setInterval(() => this.#look(), LOOK_EVERY_MS) : undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = performance.now();
    const known = new Set<string>();
    const suspected = this.#suspected();
    for (const { node } of this.#options.upstream.pools) {
      // A node has a pool for each identity and protocol.
      if (known.has(node.address)) continue;
      known.add(node.address);
      if (nowMs - (this.#thresholds.get(node.address)?.atMs ?? -THRESHOLD_EVERY_MS) >= THRESHOLD_EVERY_MS) {
        void this.#learnThreshold(node, nowMs);
      }
      if (!suspected.has(node.address)) this.#stuck.delete(node.address);
      else if (!this.#asking.has(node.address)) void this.#ask(node);
    }
    for (const address of this.#thresholds.keys()) if (!known.has(address)) this.#thresholds.delete(address);
  }

  /** Addresses of nodes one of whose connections is suspect, whoever's it is. */
  #suspected(): Set<string> {
    const pools = [...this.#options.upstream.pools];
    const suspected = pools.filter(({ connections }) => connections.some((each) => this.#isSuspect(each)));
    return new Set(suspected.map(({ node }) => node.address));
  }

  /** Never rejects; what was known stays when the node does not say. */
  async #learnThreshold(node: Node, atMs: number): Promise<void> {
    const threshold = { ms: this.#thresholds.get(node.address)?.ms ?? 0, atMs };
    this.#thresholds.set(node.address, threshold);
    try {
      // The older name, which newer servers know too.
      const reply = await this.#options.clients.call(node, 'CONFIG', 'GET', 'lua-time-limit');
      threshold.ms = Number((reply as string[])[1]) || 0;
    } catch {
      // Busy, away or not allowed: counted from the first BUSY then.
    }
  }

  /** Whether its oldest request has waited for too long, a call is in its queue, and no reply is on its way. */
  #isSuspect(connection: Connection): boolean {
    const { head, state, isPaused, bufferedBytes, pendingBytes } = connection;
    if (head === undefined || state !== 'ready' || isPaused || bufferedBytes > 0) return false;
    if (performance.now() - head.sinceMs <= this.#maxRunMs) return false;
    const left = this.#left.get(connection);
    if (left !== undefined && isStill(left)) return false;
    const isRead = pendingBytes === 0 || head.end - head.start <= SURELY_READ_BYTES;
    return isRead && callsOf(connection).length > 0;
  }

  /** Never rejects. */
  async #ask(node: Node): Promise<void> {
    this.#asking.add(node.address);
    try {
      const askedAtMs = performance.now();
      const running = await this.#runningAt(node);
      const stuck = this.#stuckAt(node, running, askedAtMs);
      if (stuck !== undefined && this.#isDue(node, stuck, running)) await this.#kill(node, stuck, running);
    } catch (error) {
      this.#options.log.error({ err: error, node: node.address }, 'looking for slow scripts failed');
    } finally {
      this.#asking.delete(node.address);
    }
  }

  async #runningAt(node: Node): Promise<Running> {
    const { clients } = this.#options;
    try {
      return runningFrom(await clients.callBuffer(node, 'FUNCTION', 'STATS'));
    } catch (error) {
      if (isBusy(error)) return { kind: 'script' };
      const isUnknown = isReply(error) && /^ERR unknown command/.test(textOf(error));
      if (!isUnknown) return { kind: 'unknown' };
    }
    // Before Redis 7.0 there are scripts only.
    try {
      await clients.call(node, 'PING');
      return { kind: 'nothing' };
    } catch (error) {
      return { kind: isBusy(error) ? 'script' : 'unknown' };
    }
  }

  /** The one connection that is without an answer although the node answers BUSY, and since when. */
  #stuckAt(node: Node, running: Running, askedAtMs: number): Stuck | undefined {
    if (running.kind === 'unknown') return undefined;
    const { address } = node;
    const suspects: Connection[] = [];
    for (const pool of this.#options.upstream.pools) {
      if (pool.node.address !== address) continue;
      suspects.push(...pool.connections.filter((each) => this.#isSuspect(each) && mayCarry(each, running)));
    }
    const before = this.#stuck.get(address);
    const [connection, another] = suspects;
    const { head } = connection ?? {};
    if (running.kind === 'nothing' || connection === undefined || another !== undefined || head === undefined) {
      this.#stuck.delete(address);
      return undefined;
    }
    if (before?.connection === connection && isStill(before)) return before;
    this.#stuck.set(address, { connection, head, headSinceMs: head.sinceMs, busySinceMs: askedAtMs });
    return undefined;
  }

  /** Whether it certainly is ours, and certainly has run for longer than it may. */
  #isDue(node: Node, stuck: Stuck, running: Running): boolean {
    if (performance.now() - stuck.busySinceMs < CONFIRM_MS) return false;
    return this.#ranMs(node, stuck, running) > this.#maxRunMs;
  }

  /** At least. */
  #ranMs(node: Node, { busySinceMs }: Stuck, running: Running): number {
    if (running.kind === 'function') return running.durationMs;
    return performance.now() - busySinceMs + (this.#thresholds.get(node.address)?.ms ?? 0);
  }

  async #kill(node: Node, stuck: Stuck, running: Running): Promise<void> {
    const { log, clients } = this.#options;
    const calls = callsOf(stuck.connection);
    const facts = {
      node: node.address,
      ran_ms: Math.round(this.#ranMs(node, stuck, running)),
      max_run_ms: this.#maxRunMs,
    };
    const watch = new KillWatch(calls);
    try {
      await clients.call(node, running.kind === 'function' ? 'FUNCTION' : 'SCRIPT', 'KILL');
      this.#stuck.delete(node.address);
      this.killedCount++;
      const name = await watch.name();
      log.warn({ ...facts, ...name }, 'script killed: it ran for longer than scripting.max_run_ms');
    } catch (error) {
      watch.end();
      const reason = textOf(error);
      // It came to its end by itself; or nobody can say, and the next look will.
      if (reason.startsWith('NOTBUSY') || !isReply(error)) return;
      this.#left.set(stuck.connection, stuck);
      this.unkillableCount++;
      const name = likelyName(calls, running);
      log.warn({ ...facts, ...name, reason }, 'a script runs for longer than scripting.max_run_ms and is left alone');
    }
  }
}

/** Nothing was answered since. */
function isStill({ connection, head, headSinceMs }: Stuck): boolean {
  return connection.head === head && head.sinceMs === headSinceMs;
}

function callsOf(connection: Connection): Exchange[] {
  const calls: Exchange[] = [];
  const count = Math.min(connection.unansweredCount, MAX_LOOKED_AT);
  for (let i = 0; i < count; i++) {
    const exchange = connection.unansweredAt(i);
    if (exchange?.call !== undefined) calls.push(exchange);
  }
  return calls;
}

/** Whether what runs may have come over this connection. */
function mayCarry(connection: Connection, running: Running): boolean {
  const calls = callsOf(connection);
  if (running.kind !== 'function') return calls.some(({ call }) => call?.form !== 'function');
  return calls.some((exchange) => isSame(argumentsOf(exchange), running.command));
}

/** What runs is not known for certain when several different calls have no reply. */
function likelyName(calls: readonly Exchange[], running: Running): CallName | Record<string, never> {
  const ofKind = calls.filter((exchange) =>
    running.kind === 'function' ? isSame(argumentsOf(exchange), running.command) : exchange.call?.form !== 'function',
  );
  const names = new Map(ofKind.map((exchange) => [JSON.stringify(nameOf(exchange)), nameOf(exchange)]));
  const [name] = names.values();
  return name !== undefined && names.size === 1 ? name : {};
}

function isBusy(error: unknown): boolean {
  return isReply(error) && textOf(error).startsWith('BUSY');
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function runningFrom(stats: unknown): Running {
  const script = fieldsOf(stats).get('running_script');
  if (!Array.isArray(script)) return { kind: 'nothing' };
  const fields = fieldsOf(script);
  const command = fields.get('command');
  const durationMs = fields.get('duration_ms');
  const words = Array.isArray(command) ? command.filter((word) => Buffer.isBuffer(word)) : [];
  return { kind: 'function', command: words, durationMs: typeof durationMs === 'number' ? durationMs : 0 };
}

function isSame(words: readonly Buffer[], others: readonly Buffer[]): boolean {
  return words.length === others.length && words.every((word, i) => others[i]?.equals(word) === true);
}
