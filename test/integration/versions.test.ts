/**
 * What only newer servers have or do: scripts that are evicted, slots that move at once, commands that 7.0 does not
 * know. Each test runs where the server on PATH has what it is about.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { RawClient } from '../support/client.ts';
import { ownerOf, tagInSlot, waitFor, waitUntilAgreed } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { shaOf } from '../support/stand.ts';
import { hasCommand, isAtLeast } from '../support/versions.ts';

const KEY = `${tagInSlot(1)}k`;
const COUNT = "return redis.call('INCR', KEYS[1])";
/** Scripts of EVAL origin that a server keeps. */
const KEPT = 500;

describe('servers of newer versions', () => {
  let gateway: Gateway;
  let client: RawClient;

  before(async () => {
    gateway = await Gateway.start({ masters: 2, replicas: 0, nodeTimeoutMs: 15_000 });
    client = await RawClient.connect(gateway.port);
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });
  beforeEach(async () => {
    await client.pipeline([['FLUSHALL'], ['SCRIPT', 'FLUSH']]);
  });

  async function has(command: string): Promise<boolean> {
    const [node] = gateway.cluster.masters;
    return node !== undefined && (await hasCommand(node, command));
  }

  const evicts = isAtLeast({ redis: 7.4, valkey: 8 });
  const noEviction = evicts ? false : 'servers evict scripts from Redis 7.4 and Valkey 8 on';

  it('C5: 600 scripts of EVAL in rotation on a server that evicts: each call runs', { skip: noEviction }, async () => {
    const kept = 'return "kept"';
    await client.text('SCRIPT', 'LOAD', kept);
    await client.text('EVALSHA', shaOf(kept), 1, KEY);
    const bodies = Array.from({ length: KEPT + 100 }, (_, i) => `return ${i}`);
    const healedBefore = gateway.proxy.counters.noscriptHealed;
    for (let round = 0; round < 4; round++) {
      const calls = bodies.map((body) => (round % 2 === 0 ? ['EVAL', body, 1, KEY] : ['EVALSHA', shaOf(body), 1, KEY]));
      const replies = (await client.pipeline(calls)).map(String);
      assert.deepEqual(
        replies,
        bodies.map((_, i) => `:${i}\r\n`),
        `round ${round}`,
      );
    }
    const stats = await (await ownerOf(gateway.cluster, 1)).client().info('stats');
    assert.ok(Number(/^evicted_scripts:(\d+)/m.exec(stats)?.[1]) > 100, 'the test does not test anything');
    assert.equal(gateway.proxy.counters.noscriptHealed, healedBefore, 'foreseen, not healed');
    assert.equal(await client.text('EVALSHA', shaOf(kept), 1, KEY), '$4\r\nkept\r\n');
    assert.equal(gateway.proxy.counters.noscriptHealed, healedBefore, 'what came by SCRIPT LOAD is not evicted');
  });

  it('slots move at once (CLUSTER MIGRATESLOTS): no call is lost, none runs twice, none fails', async (t) => {
    if (!(await has('cluster|migrateslots'))) return t.skip('only Valkey from 9 on');
    const [first, second] = gateway.cluster.masters;
    assert.ok(first && second);
    await client.text('SCRIPT', 'LOAD', COUNT);
    await client.pipeline(Array.from({ length: 2000 }, (_, i) => ['SET', `${KEY}${i}`, 'x'.repeat(100)]));
    const blocked = await RawClient.connect(gateway.port);
    const popped = blocked.text('BLPOP', `${KEY}list`, 0);
    const forms = [
      (key: string) => [['INCR', key]],
      (key: string) => [['EVALSHA', shaOf(COUNT), 1, key]],
      (key: string) => [['MULTI'], ['INCR', key], ['EXEC']],
    ];
    let isOver = false;
    const workers = forms.map(async (form, i) => {
      const key = `${KEY}count${i}`;
      const worker = await RawClient.connect(gateway.port);
      let acknowledged = 0;
      while (!isOver) {
        const replies = (await worker.pipeline([...form(key), ...form(key), ...form(key)])).map(String);
        assert.deepEqual(
          replies.filter((reply) => reply.startsWith('-')),
          [],
        );
        acknowledged += 3;
      }
      assert.equal(await worker.text('GET', key), `$${String(acknowledged).length}\r\n${acknowledged}\r\n`);
      worker.close();
    });
    for (const [from, to] of [
      [first, second],
      [second, first],
      [first, second],
    ] as const) {
      await from.client().call('CLUSTER', 'MIGRATESLOTS', 'SLOTSRANGE', 1, 1, 'NODE', to.id);
      await waitFor('the slot has moved', async () => (await ownerOf(gateway.cluster, 1)) === to);
      await waitUntilAgreed(gateway.cluster);
    }
    isOver = true;
    await Promise.all(workers);
    assert.equal(await client.text('RPUSH', `${KEY}list`, 'v'), ':1\r\n');
    assert.match(await popped, /\$1\r\nv\r\n$/);
    blocked.close();
  });

  it('CLUSTERSCAN walks all slots, and gives every key once', async (t) => {
    if (!(await has('clusterscan'))) return t.skip('only Valkey from 9.1 on');
    const keys = Array.from({ length: 300 }, (_, i) => `key:${i}`);
    await client.pipeline(keys.map((key) => ['SET', key, 1]));
    const seen: string[] = [];
    let cursor = '0';
    do {
      const [, , next = '', , ...rest] = (await client.text('CLUSTERSCAN', cursor, 'COUNT', 100)).split('\r\n');
      cursor = next;
      seen.push(...rest.filter((line) => line.startsWith('key:')));
    } while (cursor !== '0');
    assert.deepEqual(seen.sort(), keys.sort());
  });

  it('MSETEX sets all its keys with their TTL, or says CROSSSLOT', async (t) => {
    if (!(await has('msetex'))) return t.skip('only Valkey from 9.1 and Redis from 8.4 on');
    assert.equal(await client.text('MSETEX', 2, `${KEY}1`, 'a', `${KEY}2`, 'b', 'EX', 100), ':1\r\n');
    assert.match(await client.text('TTL', `${KEY}2`), /^:(99|100)\r\n$/);
    const across = ['MSETEX', 2, KEY, 'a', tagInSlot(9000), 'b', 'EX', 100];
    assert.equal(await client.text(...across), "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
    assert.equal(await client.text('EXISTS', KEY, tagInSlot(9000), 'EX'), ':0\r\n');
  });

  it('CLIENT CAPA is answered', async (t) => {
    if (!(await has('client|capa'))) return t.skip('only Valkey from 8 on');
    assert.equal(await client.text('CLIENT', 'CAPA', 'redirect'), '+OK\r\n');
  });
});

const noDatabases = isAtLeast({ redis: Number.POSITIVE_INFINITY, valkey: 9 })
  ? false
  : 'only Valkey from 9 on has databases in a cluster';
describe('a cluster with databases', { skip: noDatabases }, () => {
  it('SELECT of another one is refused, also in MULTI: the connections are those of all clients', async () => {
    const config = { 'cluster-databases': '16' };
    const gateway = await Gateway.start({ masters: 1, replicas: 0, config });
    const [client, other] = [await RawClient.connect(gateway.port), await RawClient.connect(gateway.port)];
    await client.text('SET', KEY, 'v');
    const refusal = '-ERR SELECT is not allowed in cluster mode\r\n';
    assert.equal(await client.text('SELECT', 1), refusal);
    assert.equal(await other.text('GET', KEY), '$1\r\nv\r\n');
    const replies = await client.pipeline([['MULTI'], ['SELECT', 1], ['GET', KEY], ['EXEC']]);
    assert.equal(String(replies[1]), refusal);
    assert.match(String(replies[3]), /^-EXECABORT /);
    assert.equal(
      await client.text('EVAL', "redis.call('SELECT', 1) return redis.call('GET', KEYS[1])", 1, KEY),
      '$-1\r\n',
    );
    assert.equal(await other.text('GET', KEY), '$1\r\nv\r\n');
    for (const one of [client, other]) one.close();
    await gateway.stop();
  });
});
