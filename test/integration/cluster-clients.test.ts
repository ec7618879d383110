/**
 * Cluster clients find in evalgate a cluster of one node, and work: they are given evalgate's address as the only one, so
 * nothing goes past it. Each runs the same: keys in many slots, pipelines, scripts.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Cluster as RedisCluster } from 'ioredis';
import { Cluster as ValkeyCluster } from 'iovalkey';
import { createCluster } from 'redis';
import { slotOfKey, waitFor } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

const COUNT = 200;
const KEYS = Array.from({ length: COUNT }, (_, i) => `key:${i}`);
const ADD = "return redis.call('INCRBY', KEYS[1], ARGV[1])";

describe('cluster clients', () => {
  let gateway: Gateway;

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
    assert.ok(new Set(KEYS.map(slotOfKey)).size > 150);
  });
  after(() => gateway.stop());

  /** Nobody but the proxy is connected to the nodes, however the client was told of them. */
  async function assertNothingGoesPast(name: string): Promise<void> {
    for (const node of gateway.cluster.nodes) {
      const list = String(await node.client().client('LIST'));
      assert.doesNotMatch(list, new RegExp(` name=${name} `), 'the client is connected to a node');
    }
    const [{ name: seen } = { name: undefined }] = [...gateway.proxy.clients].map(({ client }) => client);
    assert.equal(String(seen), name);
  }

  const IO_CLIENTS = [
    ['ioredis', RedisCluster],
    ['iovalkey', ValkeyCluster as unknown as typeof RedisCluster],
  ] as const;
  for (const [name, Cluster] of IO_CLIENTS) {
    it(`${name} Cluster: keys in many slots, pipelines, scripts`, async () => {
      const cluster = new Cluster([{ host: '127.0.0.1', port: gateway.port }], {
        redisOptions: { connectionName: name },
        scripts: { add: { numberOfKeys: 1, lua: ADD } },
      });
      await Promise.all(KEYS.map((key, i) => cluster.set(key, i)));
      assert.deepEqual(
        await Promise.all(KEYS.map((key) => cluster.get(key))),
        KEYS.map((_, i) => String(i)),
      );
      const pipeline = cluster.pipeline();
      for (const key of KEYS) pipeline.incr(key);
      const results = await pipeline.exec();
      assert.deepEqual(
        results,
        KEYS.map((_, i) => [null, i + 1]),
      );
      const { add } = cluster as unknown as { add: (key: string, by: number) => Promise<number> };
      const sums = await Promise.all(KEYS.map((key) => add.call(cluster, key, 10)));
      assert.deepEqual(
        sums,
        KEYS.map((_, i) => i + 11),
      );
      assert.deepEqual(
        cluster.nodes('all').map(({ options }) => options.port),
        [gateway.port],
      );
      await assertNothingGoesPast(name);
      await cluster.quit();
      await waitFor('it is gone', () => gateway.proxy.clients.size === 0);
    });
  }

  for (const RESP of [2, 3] as const) {
    const title = `node-redis createCluster in RESP${RESP}: keys in many slots, pipelines, scripts`;
    it(title, async () => {
      const cluster = createCluster({
        rootNodes: [{ url: `redis://127.0.0.1:${gateway.port}` }],
        RESP,
        defaults: { name: 'node-redis' },
      });
      await cluster.connect();
      await Promise.all(KEYS.map((key, i) => cluster.set(key, String(i))));
      assert.deepEqual(
        await Promise.all(KEYS.map((key) => cluster.get(key))),
        KEYS.map((_, i) => String(i)),
      );
      const sums = await Promise.all(KEYS.map((key) => cluster.eval(ADD, { keys: [key], arguments: ['10'] })));
      assert.deepEqual(
        sums,
        KEYS.map((_, i) => i + 10),
      );
      const pipelined = await cluster.multi().set('{p}', 'a').get('{p}').incr(`{p}${RESP}`).execAsPipeline();
      assert.deepEqual(pipelined, ['OK', 'a', 1]);
      assert.equal(cluster.masters.length, 1);
      await assertNothingGoesPast('node-redis');
      await cluster.close();
      await waitFor('it is gone', () => gateway.proxy.clients.size === 0);
    });
  }
});
