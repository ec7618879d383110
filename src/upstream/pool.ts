/**
 * The connections to one node under one `Access`: one identity, one protocol.
 *
 * One connection serves everybody as long as it flows. When its oldest request has waited 5 ms it is *occupied*: a
 * session that has nothing in flight there gets another one, opened if need be, so that a slow script or a huge reply
 * holds up only those already behind it (C3a).
 */
import type { Node } from '../cluster/topology.ts';
import { encodeCommand } from '../resp/encode.ts';
import type { Script } from '../script/script.ts';
import type { Access } from './access.ts';
import { Connection } from './connection.ts';
import { Exchange, type Failure, IGNORE } from './exchange.ts';
import { READONLY } from './handshake.ts';
import type { NodeFacts } from './node-facts.ts';
import type { NodeTls } from './node-tls.ts';
import type { Turn } from './turn.ts';

const FLUSH = encodeCommand('SCRIPT', 'FLUSH');
const READWRITE = encodeCommand('READWRITE');
const OCCUPIED_AFTER_MS = 5;
/** After a failed attempt the node is not tried again for so long. */
const RETRY_AFTER_MS = 50;
/** Dedicated connections kept for the next one who needs one, and how long. */
const MAX_SPARE = 16;
const SPARE_FOR_MS = 10_000;

/** One object for the whole run: a reload writes its fields. */
export interface PoolOptions {
  /** Undefined: no TLS. */
  readonly tls?: NodeTls | undefined;
  readonly maxConnections: number;
  /** Connections out of common use, because somebody waits on them. */
  readonly maxDedicated: number;
  readonly connectTimeoutMs: number;
  readonly maxReplyBytes: number;
  /** Bytes queued to the node beyond which sessions stop reading. */
  readonly maxPendingBytes: number;
  /** A client's EVAL goes up as EVALSHA where the node has the script. */
  readonly evalToEvalsha: boolean;
  /** `control` connections say as little as possible, because the node may be busy. */
  readonly purpose: 'shared' | 'control';
}

/** How a connection ended. */
export interface Closing {
  readonly kind: Failure['kind'];
  readonly reason: string;
  readonly wasReady: boolean;
  /** Ended from here, because nobody needs it: no failure of the node. */
  readonly isUnneeded: boolean;
}

/** What the shell around wants to know. */
export interface PoolEvents {
  onConnected(node: Node): void;
  onDisconnected(node: Node, reason: string): void;
  /** The node did not take the login: nothing is wrong with the node itself. */
  onRefused(node: Node, access: Access, reason: string): void;
  /** A bug: an exception that reached the edge of a connection. */
  onFault(error: unknown): void;
}

export interface PoolContext {
  readonly node: Node;
  readonly access: Access;
  readonly turn: Turn;
  readonly facts: NodeFacts;
  readonly events: PoolEvents;
  /** Opened along with this one: over it the facts of the node are learned, and scripts are loaded. */
  readonly companion?: Pool | undefined;
}

export class Pool {
  readonly node: Node;
  readonly access: Access;
  readonly turn: Turn;
  readonly options: PoolOptions;
  readonly facts: NodeFacts;
  readonly #events: PoolEvents;
  readonly #companion: Pool | undefined;
  #connections: Connection[] = [];
  readonly #lent = new Set<Connection>();
  /** Dedicated connections that nobody uses, the one given back last at the end; they carry no state. */
  #spare: Connection[] = [];
  #isFlushing = false;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #isReplica = false;
  /** The user may not say READONLY, without which a replica answers nothing. */
  isReadonlyDenied = false;
  /** Why the last attempt failed; empty when it did not. */
  problem = '';
  /** What the node said when it last refused the login; empty when it did not. */
  refusal = '';

  constructor(context: PoolContext, options: PoolOptions) {
    this.node = context.node;
    this.access = context.access;
    this.#companion = context.companion;
    this.turn = context.turn;
    this.facts = context.facts;
    this.#events = context.events;
    this.options = options;
  }

  /** All connections, those lent out and spare ones included. */
  get connections(): readonly Connection[] {
    if (this.#lent.size === 0 && this.#spare.length === 0) return this.#connections;
    return [...this.#connections, ...this.#lent, ...this.#spare];
  }

  get sharedCount(): number {
    return this.#connections.length;
  }

  /** How many are out of common use, spare ones not counted. */
  get dedicatedCount(): number {
    return this.#lent.size;
  }

  /** Takes a connection out of common use, because it will not answer for long; false when too many are out. */
  lend(connection: Connection): boolean {
    if (this.#lent.has(connection)) {
      connection.lentCount++;
      return true;
    }
    if (this.#lent.size >= this.options.maxDedicated) return false;
    connection.lentCount = 1;
    this.#connections = this.#connections.filter((other) => other !== connection);
    this.#lent.add(connection);
    connection.isWaiting = true;
    connection.tellLent();
    return true;
  }

  /** It answers again, for one who waited; one connection more than the pool opens by itself does no harm. */
  takeBack(connection: Connection): void {
    connection.lentCount--;
    if (connection.isAbandoned) return connection.close();
    if (connection.lentCount > 0) return;
    connection.isWaiting = false;
    if (!this.#lent.delete(connection) || connection.state === 'closed') return;
    this.#connections.push(connection);
  }

  /** A connection for one session alone, which destroys it or gives it back; undefined when too many are out. */
  dedicate(): Connection | undefined {
    if (this.#lent.size >= this.options.maxDedicated) return undefined;
    const connection = this.#spare.pop() ?? this.#connect();
    this.#lent.add(connection);
    return connection;
  }

  /**
   * Takes a dedicated connection back (C7). `used`: it may have state that is not the next one's business, and says
   * RESET and a new handshake first; `clean`: what ran on it leaves none (a blocking command), so that a client that
   * blocks in a loop waits for nothing. One that owes a reply is destroyed, as are those that nobody needs.
   */
  giveBack(connection: Connection, state: 'clean' | 'used'): void {
    if (!this.#lent.delete(connection) || connection.state === 'closed') return;
    connection.isWaiting = false;
    const isSettled = connection.state === 'ready' && connection.unansweredCount === 0 && !connection.isPaused;
    if (!isSettled || this.#spare.length >= MAX_SPARE) {
      connection.close();
      return;
    }
    connection.spareSinceMs = this.turn.now();
    this.#spare.push(connection);
    if (state === 'used') connection.renew();
  }

  /** Closes dedicated connections that nobody has needed for a while; called now and then. */
  closeSpare(): void {
    const oldest = this.#spare[0];
    if (oldest === undefined || this.turn.now() - oldest.spareSinceMs < SPARE_FOR_MS) return;
    oldest.close();
  }

  /** The connection for a session that has nothing in flight here; undefined while the node cannot be reached. */
  pick(preferred: Connection | undefined): Connection | undefined {
    if (preferred?.state === 'ready' && !preferred.isWaiting && !isOccupied(preferred)) return preferred;
    const flowing = this.#connections.find((connection) => connection.state === 'ready' && !isOccupied(connection));
    if (flowing !== undefined) return flowing;
    const opening = this.#connections.find((connection) => connection.state === 'connecting');
    if (opening !== undefined) return opening;
    return this.#mayOpen() ? this.open() : this.#leastBusy();
  }

  #mayOpen(): boolean {
    if (this.#connections.length >= this.options.maxConnections) return false;
    return (
      (this.#connections.length > 0 && this.refusal === '') || performance.now() - this.#failedAtMs >= RETRY_AFTER_MS
    );
  }

  /** Opens a connection that others may use too. */
  open(): Connection {
    const connection = this.#connect();
    this.#connections.push(connection);
    return connection;
  }

  #connect(): Connection {
    this.#companion?.keepOpen();
    const connection = new Connection(this);
    this.facts.connections.add(connection);
    return connection;
  }

  /** Opens the first connection, if there is none. */
  keepOpen(): void {
    if (this.#connections.length === 0 && this.#mayOpen()) this.open();
  }

  /** All are occupied: one whose head is no script, and of these the one with the shortest queue. */
  #leastBusy(): Connection | undefined {
    let best: Connection | undefined;
    for (const connection of this.#connections) {
      if (best === undefined || weightOf(connection) < weightOf(best)) best = connection;
    }
    return best;
  }

  /** The node is a replica, and reads go there. */
  get isReplica(): boolean {
    return this.#isReplica;
  }

  /**
   * READONLY lets a replica answer reads, and must not outlast its promotion: when it is a replica once more it would
   * answer what was meant for a primary.
   */
  set isReplica(isReplica: boolean) {
    if (isReplica === this.#isReplica) return;
    this.#isReplica = isReplica;
    for (const connection of this.#connections) this.sayRole(connection);
  }

  sayRole(connection: Connection): void {
    const exchange = new Exchange(IGNORE, 0, undefined, 0);
    connection.sendOwn(exchange, this.#isReplica ? READONLY : READWRITE);
  }

  /** Whether a replica may be asked now, as far as is known. */
  get isReadable(): boolean {
    return this.#isReplica && this.facts.isInSync && !this.isReadonlyDenied;
  }

  /** Whether sessions should stop reading requests for this node. */
  get isSaturated(): boolean {
    let bytes = 0;
    for (const connection of this.connections) bytes += connection.pendingBytes;
    return bytes > this.options.maxPendingBytes;
  }

  get isIdle(): boolean {
    return this.connections.every((connection) => connection.unansweredCount === 0);
  }

  /** The node no longer has any script: nothing is believed, whoever's connection it is. */
  dropAllMarks(): void {
    this.facts.dropAllMarks();
  }

  dropMark(script: Script): void {
    this.facts.dropMark(script);
  }

  /**
   * Scripts were forgotten, here or by another evalgate: SCRIPT FLUSH goes out on every connection, behind the bodies that
   * were sent there before, or they would stay on the node, known to nobody.
   */
  flushScripts(): void {
    const { facts } = this;
    const sink = {
      onReply: (_: Exchange, bytes: Buffer, start: number) => {
        // Busy, or a user who may not: it is done again over a connection of our own.
        if (/^-(?:BUSY|NOPERM) /.test(bytes.toString('latin1', start, start + 8))) facts.owesFlush = true;
        this.dropAllMarks();
      },
      // With the connection went what it carried.
      onFailure: () => {},
    };
    for (const connection of this.#connections) connection.sendOwn(new Exchange(sink, 0, undefined, 0), FLUSH);
    this.dropAllMarks();
  }

  /** Sends the SCRIPT FLUSH that could not reach the node, if it is reachable now. */
  flushOwed(): void {
    const { facts } = this;
    if (!facts.owesFlush || this.#isFlushing) return;
    const connection = this.pick(undefined);
    if (connection === undefined || connection.state !== 'ready') return;
    this.#isFlushing = true;
    const sink = {
      onReply: (_: Exchange, bytes: Buffer, start: number) => {
        this.#isFlushing = false;
        facts.learnFlush(bytes.subarray(start));
        this.dropAllMarks();
      },
      onFailure: () => {
        this.#isFlushing = false;
      },
    };
    connection.sendOwn(new Exchange(sink, 0, undefined, 0), FLUSH);
    this.dropAllMarks();
  }

  onFault(error: unknown): void {
    this.#events.onFault(error);
  }

  onReady(): void {
    if (this.problem !== '') this.#events.onConnected(this.node);
    this.problem = '';
    this.refusal = '';
  }

  /** The node answered, and does not take the login. */
  onRefused(reason: string): void {
    if (this.refusal === '' && this.options.purpose === 'shared') {
      this.#events.onRefused(this.node, this.access, reason);
    }
    this.refusal = reason;
  }

  onClosed(connection: Connection, { kind, reason, wasReady, isUnneeded }: Closing): void {
    this.#connections = this.#connections.filter((other) => other !== connection);
    this.#lent.delete(connection);
    this.#spare = this.#spare.filter((other) => other !== connection);
    this.facts.connections.delete(connection);
    if (isUnneeded) return;
    if (!wasReady) this.#failedAtMs = performance.now();
    if (this.options.purpose === 'control' || kind === 'refused') return;
    // Perhaps restarted, and not in order yet: it is asked.
    this.facts.isInSync = false;
    if (this.problem === '') this.#events.onDisconnected(this.node, reason);
    if (!wasReady || this.#connections.length === 0) this.problem = reason;
  }

  /** Ends all connections; requests in flight get the failure. */
  destroy(kind: 'silent' | 'lost', reason: string): void {
    for (const connection of this.connections) connection.destroy(kind, reason);
  }
}

/** Whether its oldest request waits for so long that others should not wait behind it. */
export function isOccupied(connection: Connection): boolean {
  const head = connection.head;
  if (connection.isAvoided) return true;
  return head !== undefined && connection.pool.turn.now() - head.sinceMs > OCCUPIED_AFTER_MS;
}

function weightOf(connection: Connection): number {
  const isBehindCall = connection.head?.call !== undefined;
  return connection.unansweredCount + (isBehindCall ? 1e9 : 0);
}
