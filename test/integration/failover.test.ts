/**
 * Nodes restart, fail over, die and freeze while clients count.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawClient } from '../support/client.ts';
import {
  failOver,
  freeze,
  isMaster,
  shardOf,
  slotOfKey,
  thaw,
  waitFor,
  waitUntilInSync,
  waitUntilReplaced,
} from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { type Books, COUNT_SCRIPT, COUNT_SHA, Load, sum } from '../support/load.ts';

const HONEST = [
  'ERR evalgate: connection to NODE lost before the reply, the command may have run or may still run',
  /^ERR evalgate: NODE did not answer for \d+ ms, the command may have run or may still run$/,
];

describe('failover under load', () => {
  let gateway: Gateway;
  const keys = Array.from({ length: 60 }, (_, i) => `counter:${i}`);

  before(async () => {
    gateway = await Gateway.start(
      { replicas: 1, nodeTimeoutMs: 2000 },
      { cluster: { failover_wait_ms: 15_000, node_silence_ms: 15_000 } },
    );
    const client = await RawClient.connect(gateway.port);
    await client.command('SCRIPT', 'LOAD', COUNT_SCRIPT);
    client.close();
  });
  after(() => gateway.stop());

  async function countersNow(): Promise<Map<string, number>> {
    const client = await RawClient.connect(gateway.port);
    const replies = await client.pipeline(keys.map((key) => ['GET', key]));
    client.close();
    return new Map(keys.map((key, i) => [key, Number(String(replies[i]).split('\r\n')[1] ?? 0)]));
  }

  async function resetCounters(): Promise<void> {
    const client = await RawClient.connect(gateway.port);
    await client.pipeline(keys.map((key) => ['SET', key, '0']));
    assert.match(await client.text('WAIT', '1', '2000'), /^:\d/);
    client.close();
  }

  function assertExact(books: Books, counters: Map<string, number>): void {
    for (const key of keys) assert.equal(counters.get(key), books.acknowledged.get(key) ?? 0, key);
  }

  /** No increment that was neither acknowledged nor said to be uncertain; what replication lost is printed. */
  function assertHonest(
    books: Books,
    counters: Map<string, number>,
    context: { diagnostic(text: string): void },
  ): void {
    let lost = 0;
    for (const key of keys) {
      const counted = counters.get(key) ?? 0;
      const acknowledged = books.acknowledged.get(key) ?? 0;
      assert.ok(counted <= acknowledged + (books.uncertain.get(key) ?? 0), `${key}: ${counted} > ${acknowledged}`);
      lost += Math.max(0, acknowledged - counted);
    }
    for (const text of books.errors.keys()) {
      assert.ok(
        HONEST.some((honest) => (typeof honest === 'string' ? honest === text : honest.test(text))),
        text,
      );
    }
    context.diagnostic(`lost to asynchronous replication: ${lost} of ${sum(books.acknowledged)}`);
    context.diagnostic(`worst pause: ${Math.round(books.worstPauseMs)} ms, errors: ${sum(books.errors)}`);
  }

  it('a manual failover costs no error and no increment', async (context) => {
    await resetCounters();
    const { replica } = await shardOf(gateway.cluster, slotOfKey('counter:0'));
    const load = await Load.start({ port: gateway.port, keys });
    await failOver(gateway.cluster, replica);
    const roundsAfter = load.rounds + 20;
    await waitFor('the load goes on', () => load.rounds > roundsAfter);
    const books = await load.stop();
    assert.deepEqual([...books.errors], []);
    assertExact(books, await countersNow());
    context.diagnostic(`worst pause: ${Math.round(books.worstPauseMs)} ms`);
  });

  it('a master that restarts costs honest errors at most, and no NOSCRIPT', async (context) => {
    await resetCounters();
    const { master } = await shardOf(gateway.cluster, slotOfKey('counter:0'));
    const load = await Load.start({ port: gateway.port, keys });
    await gateway.cluster.stopNode(master, 'SIGKILL');
    await waitUntilReplaced(gateway.cluster, master);
    await gateway.cluster.restartNode(master);
    const roundsAfter = load.rounds + 20;
    await waitFor('the load goes on', () => load.rounds > roundsAfter);
    const books = await load.stop();
    assertHonest(books, await countersNow(), context);
    const client = await RawClient.connect(gateway.port);
    const replies = await client.pipeline(keys.map((key) => ['EVALSHA', COUNT_SHA, '1', key]));
    client.close();
    assert.ok(replies.every((reply) => reply[0] === 0x3a));
  });

  it('a frozen master that nobody was connected to does not keep what waits for a connection', async (t) => {
    await waitUntilInSync(gateway.cluster);
    const proxy = await startProxy(gateway.cluster, {
      cluster: { connect_timeout_ms: 60_000, failover_wait_ms: 60_000, node_silence_ms: 60_000 },
    });
    const client = await RawClient.connect(proxy.address.port);
    t.after(async () => {
      client.close();
      await proxy.stop();
    });
    const { master } = await shardOf(gateway.cluster, slotOfKey('counter:0'));
    freeze(master);
    try {
      assert.equal(await client.text('SET', 'counter:0', '0'), '+OK\r\n');
    } finally {
      thaw(master);
    }
    await waitFor('the thawed node is a replica', async () => !(await isMaster(master)));
  });

  it('a frozen master loses its connections after its failover, and no late OK is passed on', async (context) => {
    await waitUntilInSync(gateway.cluster);
    await resetCounters();
    const { master } = await shardOf(gateway.cluster, slotOfKey('counter:0'));
    const load = await Load.start({ port: gateway.port, keys });
    freeze(master);
    try {
      await waitUntilReplaced(gateway.cluster, master);
      const roundsAfter = load.rounds + 20;
      await waitFor('the load goes on', () => load.rounds > roundsAfter);
    } finally {
      thaw(master);
    }
    await waitFor('the thawed node is a replica', async () => !(await isMaster(master)));
    const books = await load.stop();
    assertHonest(books, await countersNow(), context);
    assert.ok(sum(books.uncertain) > 0, 'nothing was in flight: the test proved nothing');
  });
});
