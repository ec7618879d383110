/**
 * Commands that block: what clients see, what it costs the others (nothing), and what becomes of a wait when its slot
 * moves, its master changes, or its node dies.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { type Argument, encodeCommand, RawClient } from '../support/client.ts';
import {
  failOver,
  freeze,
  moveSlots,
  shardOf,
  slotOfKey,
  tagInSlot,
  thaw,
  waitFor,
  waitUntilInSync,
  waitUntilReplaced,
} from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { BEFORE_7 } from '../support/versions.ts';

const NULL = '*-1\r\n';
const CROSS_SLOT = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";

function popped(key: string, value: string): string {
  return `*2\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
}

function counts(proxy: ProxyServer): { dedicated: number; shared: number; all: number } {
  const sum = { dedicated: 0, shared: 0, all: 0 };
  for (const pool of proxy.upstream.pools) {
    sum.dedicated += pool.dedicatedCount;
    sum.shared += pool.sharedCount;
    sum.all += pool.connections.length;
  }
  return sum;
}

async function blocked(gateway: Gateway, count: number): Promise<void> {
  await waitFor(`${count} are blocked`, async () => {
    const running = gateway.cluster.nodes.filter((node) => node.isRunning);
    const infos = await Promise.all(running.map((node) => node.client().info('clients')));
    const sum = infos.reduce((total, info) => total + Number(/blocked_clients:(\d+)/.exec(info)?.[1] ?? 0), 0);
    return sum === count;
  });
}

describe('blocking commands', () => {
  let gateway: Gateway;
  let client: RawClient;
  let other: RawClient;
  let nextSlot = 400;
  let tag: string;

  before(async () => {
    gateway = await Gateway.start({ replicas: 0 });
    client = await RawClient.connect(gateway.port);
    other = await RawClient.connect(gateway.port);
  });
  after(async () => {
    client.close();
    other.close();
    await gateway.stop();
  });
  beforeEach(() => {
    tag = tagInSlot(nextSlot++);
  });

  /** Begins to wait, and resolves when a node has it blocked. */
  async function block(waiting: RawClient, ...args: Argument[]): Promise<void> {
    waiting.send(encodeCommand(args));
    await blocked(gateway, 1);
  }

  const waits: [name: string, wait: (t: string) => Argument[], feed: (t: string) => Argument[], reply: RegExp][] = [
    ['BLPOP', (t) => ['BLPOP', `${t}a`, `${t}b`, 0], (t) => ['RPUSH', `${t}b`, 'v'], /^\*2\r\n.*b\r\n\$1\r\nv\r\n$/s],
    ['BRPOP', (t) => ['BRPOP', `${t}a`, 0], (t) => ['RPUSH', `${t}a`, 'v'], /^\*2\r\n.*\$1\r\nv\r\n$/s],
    ['BRPOPLPUSH', (t) => ['BRPOPLPUSH', `${t}a`, `${t}b`, 0], (t) => ['RPUSH', `${t}a`, 'v'], /^\$1\r\nv\r\n$/],
    [
      'BLMOVE',
      (t) => ['BLMOVE', `${t}a`, `${t}b`, 'LEFT', 'LEFT', 0],
      (t) => ['RPUSH', `${t}a`, 'v'],
      /^\$1\r\nv\r\n$/,
    ],
    [
      'BLMPOP',
      (t) => ['BLMPOP', 0, 1, `${t}a`, 'LEFT'],
      (t) => ['RPUSH', `${t}a`, 'v'],
      /^\*2\r\n.*\*1\r\n\$1\r\nv\r\n$/s,
    ],
    [
      'BZPOPMIN',
      (t) => ['BZPOPMIN', `${t}z`, 0],
      (t) => ['ZADD', `${t}z`, 1, 'v'],
      /^\*3\r\n.*\$1\r\nv\r\n\$1\r\n1\r\n$/s,
    ],
    ['BZPOPMAX', (t) => ['BZPOPMAX', `${t}z`, 0], (t) => ['ZADD', `${t}z`, 1, 'v'], /^\*3\r\n/],
    ['BZMPOP', (t) => ['BZMPOP', 0, 1, `${t}z`, 'MIN'], (t) => ['ZADD', `${t}z`, 1, 'v'], /^\*2\r\n/],
    ['XREAD', (t) => ['XREAD', 'BLOCK', 0, 'STREAMS', `${t}s`, '$'], (t) => ['XADD', `${t}s`, '1-1', 'f', 'v'], /1-1/],
  ];
  for (const [name, wait, feed, reply] of waits) {
    const skip = /^B[LZ]MPOP$/.test(name) && BEFORE_7;
    it(`${name} waits, and gets what comes`, { skip }, async () => {
      await block(client, ...wait(tag));
      await other.command(...feed(tag));
      assert.match(String(await client.reply()), reply);
      await blocked(gateway, 0);
    });
  }

  it('XREADGROUP waits, and gets what comes', async () => {
    await client.command('XGROUP', 'CREATE', `${tag}s`, 'g', '$', 'MKSTREAM');
    await block(client, 'XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', 0, 'STREAMS', `${tag}s`, '>');
    await other.command('XADD', `${tag}s`, '1-1', 'f', 'v');
    assert.match(String(await client.reply()), /1-1/);
  });

  it('answers at once where there is something, and null after the timeout', async () => {
    await client.command('RPUSH', `${tag}a`, 'v');
    assert.equal(await client.text('BLPOP', `${tag}a`, '0'), popped(`${tag}a`, 'v'));
    assert.equal(await client.text('BLPOP', `${tag}a`, '0.01'), NULL);
    assert.equal(await client.text('XREAD', 'BLOCK', '1', 'STREAMS', `${tag}s`, '$'), NULL);
  });

  it('refuses what Redis refuses, in its words', async () => {
    assert.equal(await client.text('BLPOP', `${tag}a`, 'soon'), '-ERR timeout is not a float or out of range\r\n');
    assert.equal(await client.text('BLPOP', `${tag}a`, '-1'), '-ERR timeout is negative\r\n');
    assert.equal(await client.text('BLPOP', `${tag}a`), "-ERR wrong number of arguments for 'blpop' command\r\n");
    assert.equal(await client.text('BLPOP', 'a', 'b', '0'), CROSS_SLOT);
  });

  it('C3: the pipeline around it runs in order', async () => {
    const waiting = client.pipeline([
      ['SET', `${tag}k`, '1'],
      ['BLPOP', `${tag}a`, '0'],
      ['INCR', `${tag}k`],
      ['BLPOP', `${tag}a`, '0'],
      ['GET', `${tag}k`],
    ]);
    await blocked(gateway, 1);
    assert.equal(await other.text('GET', `${tag}k`), '$1\r\n1\r\n');
    await other.command('RPUSH', `${tag}a`, 'x', 'y');
    const replies = (await waiting).map(String);
    assert.deepEqual(replies, ['+OK\r\n', popped(`${tag}a`, 'x'), ':2\r\n', popped(`${tag}a`, 'y'), '$1\r\n2\r\n']);
  });

  it('a client that vanishes, or half-closes, takes nothing away from others', async () => {
    for (const leave of ['close', 'endWrites'] as const) {
      const leaving = await RawClient.connect(gateway.port);
      await block(leaving, 'BLPOP', `${tag}a`, '0');
      // What is pipelined behind does not keep it from being noticed.
      leaving.send(encodeCommand(['PING']));
      leaving[leave]();
      await blocked(gateway, 0);
      assert.equal(await other.text('RPUSH', `${tag}a`, leave), ':1\r\n');
      assert.equal(await client.text('LPOP', `${tag}a`), `$${leave.length}\r\n${leave}\r\n`);
      leaving.close();
    }
    await waitFor('nothing is left behind', () => counts(gateway.proxy).dedicated === 0);
  });

  it('a client that blocks in a loop uses one connection again and again', async () => {
    const before = await connectionsReceived();
    for (let i = 0; i < 50; i++) {
      await client.command('RPUSH', `${tag}a`, String(i));
      assert.equal(await client.text('BLPOP', `${tag}a`, '0'), popped(`${tag}a`, String(i)));
    }
    assert.ok((await connectionsReceived()) - before <= 1);
    assert.equal(counts(gateway.proxy).dedicated, 0);
  });

  async function connectionsReceived(): Promise<number> {
    const info = (await gateway.cluster.masters[0]?.client().info('stats')) ?? '';
    return Number(/total_connections_received:(\d+)/.exec(info)?.[1]);
  }

  it('WAIT counts what a transaction and a blocking command wrote', async () => {
    await client.pipeline([['MULTI'], ['RPUSH', `${tag}a`, 'v'], ['EXEC']]);
    assert.equal(await client.text('WAIT', '0', '0'), ':0\r\n');
    assert.equal(await client.text('BLPOP', `${tag}a`, '0'), popped(`${tag}a`, 'v'));
    assert.equal(await client.text('WAIT', '0', '0'), ':0\r\n');
  });

  it('C6: 200 blocked clients share nothing with the others, and node_silence_ms does not end them', async (t) => {
    const proxy = await startProxy(gateway.cluster, { cluster: { node_silence_ms: 600 }, listen: { drain_ms: 0 } });
    t.after(() => proxy.stop());
    const all = await Promise.all(Array.from({ length: 200 }, () => RawClient.connect(proxy.address.port)));
    for (const each of all) each.send(encodeCommand(['BLPOP', `${tag}a`, '0']));
    await blocked(gateway, 200);
    const another = await RawClient.connect(proxy.address.port);
    await another.command('GET', `${tag}k`);
    const { shared, dedicated } = counts(proxy);
    assert.deepEqual({ shared, dedicated }, { shared: 1, dedicated: 200 });
    for (let i = 0; i < 1000; i++) await another.command('INCR', `${tag}k`);
    assert.equal(counts(proxy).shared, 1, 'no shared connection was ever occupied');
    const since = performance.now();
    await waitFor('node_silence_ms is over', () => performance.now() - since > 1200);
    assert.deepEqual([counts(proxy).dedicated, proxy.counters.failures], [200, 0]);
    await another.command('RPUSH', `${tag}a`, ...all.map((_, i) => i));
    const values = new Set((await Promise.all(all.map((each) => each.reply()))).map(String));
    assert.equal(values.size, 200);
    await waitFor('few are kept', () => counts(proxy).dedicated === 0 && counts(proxy).all < 30);
    for (const each of [...all, another]) each.close();
  });

  it('CLIENT UNBLOCK ends a wait, as the node does it', async () => {
    const id = (await client.text('CLIENT', 'ID')).slice(1, -2);
    assert.equal(await other.text('CLIENT', 'UNBLOCK', id), ':0\r\n');
    await block(client, 'BLPOP', `${tag}a`, '0');
    assert.equal(await other.text('CLIENT', 'UNBLOCK', id), ':1\r\n');
    assert.equal(String(await client.reply()), NULL);
    await block(client, 'BLPOP', `${tag}a`, '0');
    assert.equal(await other.text('CLIENT', 'UNBLOCK', id, 'ERROR'), ':1\r\n');
    assert.equal(String(await client.reply()), '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n');
    assert.equal(await client.text('SET', `${tag}k`, '1'), '+OK\r\n');
  });

  it('C6: more than dedicated_per_node are refused', async (t) => {
    const proxy = await startProxy(gateway.cluster, { cluster: { dedicated_per_node: 1 }, listen: { drain_ms: 0 } });
    t.after(() => proxy.stop());
    const [first, second] = await Promise.all([0, 1].map(() => RawClient.connect(proxy.address.port)));
    assert.ok(first && second);
    await block(first, 'BLPOP', `${tag}a`, '0');
    assert.match(await second.text('BLPOP', `${tag}a`, '0'), /^-ERR evalgate: more than 1 connections to .* wait/);
    first.close();
    await blocked(gateway, 0);
    assert.equal(await second.text('BLPOP', `${tag}a`, '0.01'), NULL);
    second.close();
  });

  it('a blocked client does not hold up the end of the proxy', async () => {
    const proxy = await startProxy(gateway.cluster, { listen: { drain_ms: 100 } });
    const waiting = await RawClient.connect(proxy.address.port);
    await block(waiting, 'BLPOP', `${tag}a`, '0');
    await proxy.stop();
    await waiting.closed();
    await blocked(gateway, 0);
  });

  it('C4: a slot that moves takes the wait along, with the time that is left', async () => {
    const [from, to] = gateway.cluster.masters;
    assert.ok(from && to);
    const timed = await RawClient.connect(gateway.port);
    await block(client, 'BLPOP', `${tag}a`, '0');
    timed.send(encodeCommand(['BLMOVE', `${tag}c`, `${tag}d`, 'LEFT', 'LEFT', '4']));
    await blocked(gateway, 2);
    const startedAt = performance.now();
    await moveSlots(gateway.cluster, [slotOfKey(tag)], { from, to });
    await waitFor('they wait at the new owner', async () =>
      (await to.client().info('clients')).includes('blocked_clients:2'),
    );
    assert.equal(await other.text('RPUSH', `${tag}a`, 'v'), ':1\r\n');
    assert.equal(String(await client.reply()), popped(`${tag}a`, 'v'));
    assert.equal(String(await timed.reply()), NULL);
    const waitedMs = performance.now() - startedAt;
    assert.ok(waitedMs < 8000, `${waitedMs}`);
    timed.close();
  });
});

describe('blocking commands under failover', () => {
  let gateway: Gateway;
  let client: RawClient;
  let other: RawClient;
  const key = 'queue';

  before(async () => {
    gateway = await Gateway.start({ replicas: 1, nodeTimeoutMs: 2000 }, { cluster: { failover_wait_ms: 15_000 } });
    client = await RawClient.connect(gateway.port);
    other = await RawClient.connect(gateway.port);
  });
  after(async () => {
    client.close();
    other.close();
    await gateway.stop();
  });

  it('C4: a manual failover takes the wait along', async () => {
    client.send(encodeCommand(['BLPOP', key, '0']));
    await blocked(gateway, 1);
    await failOver(gateway.cluster, (await shardOf(gateway.cluster, slotOfKey(key))).replica);
    await blocked(gateway, 1);
    assert.equal(await other.text('RPUSH', key, 'v'), ':1\r\n');
    assert.equal(String(await client.reply()), popped(key, 'v'));
  });

  it('C4: a master that dies: a pop may have run, a read goes on', async () => {
    await waitUntilInSync(gateway.cluster);
    const reader = await RawClient.connect(gateway.port);
    client.send(encodeCommand(['BLPOP', key, '0']));
    reader.send(encodeCommand(['XREAD', 'BLOCK', '0', 'STREAMS', `{${key}}s`, '0']));
    await blocked(gateway, 2);
    const { master } = await shardOf(gateway.cluster, slotOfKey(key));
    await gateway.cluster.stopNode(master, 'SIGKILL');
    assert.match(
      String(await client.reply()),
      /^-ERR evalgate: connection to .* lost before the reply, .* may have run/,
    );
    assert.match(await other.text('XADD', `{${key}}s`, '1-1', 'f', 'v'), /1-1/);
    assert.match(String(await reader.reply()), /1-1/);
    reader.close();
    await waitUntilReplaced(gateway.cluster, master);
    await gateway.cluster.restartNode(master);
  });

  it('C4: a master that freezes is noticed by those who only wait on it', async () => {
    await waitUntilInSync(gateway.cluster);
    client.send(encodeCommand(['BLPOP', key, '0']));
    await blocked(gateway, 1);
    const { master } = await shardOf(gateway.cluster, slotOfKey(key));
    freeze(master);
    try {
      assert.match(String(await client.reply()), /^-ERR evalgate: .* did not answer for \d+ ms, .* may have run/);
    } finally {
      thaw(master);
    }
  });
});
