/**
 * A pool of connections to a fake node, and a sink that writes down what it is told.
 */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { makeNode, type Node } from '../../src/cluster/topology.ts';
import type { Protocol } from '../../src/resp/encode.ts';
import { Identity } from '../../src/upstream/access.ts';
import type { Connection } from '../../src/upstream/connection.ts';
import { Exchange, type Failure, type Sink } from '../../src/upstream/exchange.ts';
import { NodeFacts } from '../../src/upstream/node-facts.ts';
import { Pool, type PoolOptions } from '../../src/upstream/pool.ts';
import { Turn } from '../../src/upstream/turn.ts';
import { type Argument, encodeCommand } from './client.ts';
import type { FakeNode } from './fake-node.ts';

const NOSCRIPT = '-NOSCRIPT No matching script. Please use EVAL.\r\n';
const WAIT_MS = 5000;

/** A turn whose clock stands still unless it is put forward. */
export class TestTurn extends Turn {
  nowMs = 1000;

  override now(): number {
    return this.nowMs;
  }
}

/** What a node is asked on a new connection, in order; the answers of Redis 7.0. */
export function expectHandshake(node: FakeNode): void {
  const info = '# Server\r\nredis_version:7.0.15\r\n';
  node.expect('INFO', 'server').reply(`$${info.length}\r\n${info}\r\n`);
  node.expect('EVALSHA', '0'.repeat(40), '0').reply(NOSCRIPT);
}

export interface TestPool {
  readonly pool: Pool;
  readonly facts: NodeFacts;
  readonly turn: TestTurn;
  /** `connected ADDRESS`, `disconnected ADDRESS: REASON` and `refused ADDRESS: REASON`. */
  readonly events: string[];
}

export interface TestPoolOptions extends Partial<PoolOptions> {
  /** Nobody in RESP2 unless given; the proxy's own identity. */
  readonly login?: { readonly username?: string; readonly password?: string; readonly kind?: 'own' | 'user' };
  readonly protocol?: Protocol;
}

export function poolTo(port: number, given: TestPoolOptions = {}, host = '127.0.0.1'): TestPool {
  const { login = {}, protocol = 2, ...options } = given;
  const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
  const credentials = { username: bytes(login.username), password: bytes(login.password) };
  const events: string[] = [];
  const facts = new NodeFacts();
  const turn = new TestTurn();
  const node: Node = makeNode({ host, port }, { askedHost: host, natMap: new Map() });
  const context = {
    node,
    access: new Identity(login.kind ?? 'own', credentials).access(protocol),
    turn,
    facts,
    events: {
      onConnected: ({ address }: Node) => events.push(`connected ${address}`),
      onDisconnected: ({ address }: Node, reason: string) => events.push(`disconnected ${address}: ${reason}`),
      onRefused: ({ address }: Node, _: unknown, reason: string) => events.push(`refused ${address}: ${reason}`),
      onFault: (error: unknown) => events.push(`fault ${String(error)}`),
    },
  };
  const pool = new Pool(context, {
    maxConnections: 4,
    maxDedicated: 10,
    connectTimeoutMs: 2000,
    maxReplyBytes: 1_000_000,
    maxPendingBytes: 1_000_000,
    evalToEvalsha: true,
    purpose: 'shared',
    ...options,
  });
  return { pool, facts, turn, events };
}

/** Writes down outcomes in the order they come, each as one text. */
export class Recorder implements Sink {
  readonly outcomes: string[] = [];

  onReply(exchange: Exchange, bytes: Buffer, start: number, end: number): void {
    this.outcomes.push(`${exchange.seq} ${bytes.toString('latin1', start, end)}`);
  }

  onFailure(exchange: Exchange, { kind, reason }: Failure): void {
    this.outcomes.push(`${exchange.seq} ${kind}: ${reason}`);
  }

  /** Sends a command as request number `seq`. */
  send(connection: Connection, seq: number, ...args: readonly Argument[]): Exchange {
    const bytes = encodeCommand(args);
    const exchange = new Exchange(this, seq, undefined, 0);
    connection.send(exchange, bytes, 0, bytes.length);
    return exchange;
  }

  /** Resolves when so many outcomes are there. */
  async come(count: number): Promise<string[]> {
    await until(`${count} outcomes`, () => this.outcomes.length >= count);
    return this.outcomes;
  }
}

/** Goes on with the event loop until the condition holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited ${WAIT_MS} ms in vain: ${what}`);
    await nextTurn();
  }
}

export async function untilReady(connection: Connection): Promise<void> {
  await until('the connection is ready', () => connection.state === 'ready');
}
