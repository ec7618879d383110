/** node-redis (the package `redis`) in both protocols; its default is RESP3. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createClient, createClientPool, createCluster, defineScript, RESP_TYPES, WatchError } from 'redis';
import type { ProxyServer } from '../../../src/control/proxy.ts';
import { waitFor } from '../../support/cluster.ts';
import { Gateway, startProxy } from '../../support/gateway.ts';
import { loseScripts } from './support/lost-scripts.ts';

const KEYS = Array.from({ length: 100 }, (_, i) => `key:${i}`);
const scripts = {
  add: defineScript({
    SCRIPT: "return redis.call('INCRBY', KEYS[1], ARGV[1])",
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key: string, by: number) {
      parser.pushKey(key);
      parser.push(String(by));
    },
    transformReply: (reply: number) => reply,
  }),
};

for (const RESP of [3, 2] as const) {
  describe(`node-redis, RESP${RESP}`, () => {
    let gateway: Gateway;
    /** Scripts in transactions are refused by the profile `tair`. */
    let safe: ProxyServer;
    const opened: { destroy(): void }[] = [];

    before(async () => {
      gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
      safe = await startProxy(gateway.cluster, { scripting: { script_check_profile: 'safe' } });
    });
    after(async () => {
      for (const client of opened) client.destroy();
      await safe.stop();
      await gateway.stop();
    });

    async function open(port = gateway.port) {
      const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP, scripts });
      // Without a listener a lost connection would end the process.
      client.on('error', () => {});
      opened.push(client);
      return await client.connect();
    }

    it('values of every kind', async () => {
      const client = await open();
      assert.equal(await client.set('key', 'value', { expiration: { type: 'EX', value: 10 }, condition: 'NX' }), 'OK');
      assert.equal(await client.get('key'), 'value');
      await client.hSet('hash', { field1: 'value1', field2: 'value2' });
      assert.deepEqual({ ...(await client.hGetAll('hash')) }, { field1: 'value1', field2: 'value2' });
      await client.zAdd('zset', [
        { score: 1.5, value: 'a' },
        { score: 2, value: 'b' },
      ]);
      assert.deepEqual(
        (await client.zRangeWithScores('zset', 0, -1)).map(({ value, score }) => [value, score]),
        [
          ['a', 1.5],
          ['b', 2],
        ],
      );
      assert.equal(await client.sendCommand(['SET', 'key2', 'value', 'NX']), 'OK');
      assert.equal(await client.exists(['key', 'key2', 'none']), 2);
      const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      await client.hSet('key:bin', 'field', Buffer.from([0, 13, 10, 255]));
      assert.deepEqual(await binary.hGet('key:bin', 'field'), Buffer.from([0, 13, 10, 255]));
      const dump = await binary.dump('hash');
      assert.ok(dump !== null);
      assert.equal(await client.restore('restored', 0, dump), 'OK');
      assert.equal(await client.hGet('restored', 'field1'), 'value1');
      await assert.rejects(client.lPush('key', 'x'), /WRONGTYPE/);
    });

    it('commands of one tick, in many slots', async () => {
      const client = await open();
      await Promise.all(KEYS.map((key, i) => client.set(`tick:${key}`, String(i))));
      const values = await client.mGet(KEYS.map((key) => `tick:${key}`));
      assert.deepEqual(
        values,
        KEYS.map((_, i) => String(i)),
      );
      const replies = await client.multi().set('a', '1').incr('b').get('a').execAsPipeline();
      assert.deepEqual(replies, ['OK', 1, '1']);
    });

    it('scanIterator sees every key of every node', async () => {
      const client = await open();
      await Promise.all(KEYS.map((key) => client.set(`scan:${key}`, '1')));
      const seen = new Set<string>();
      for await (const keys of client.scanIterator({ TYPE: 'string', MATCH: 'scan:*', COUNT: 10 })) {
        for (const key of keys) seen.add(key);
      }
      assert.equal(seen.size, KEYS.length);
    });

    it('scripts: first use, later use, nodes that forgot, many in one tick', async () => {
      const client = await open();
      await client.del(KEYS);
      await Promise.all(KEYS.map((key) => client.add(key, 1)));
      await loseScripts(gateway.cluster);
      assert.deepEqual(await Promise.all(KEYS.map((key) => client.add(key, 2))), Array(KEYS.length).fill(3));
      const sha = await client.scriptLoad('return {KEYS[1], 7}');
      await loseScripts(gateway.cluster);
      assert.deepEqual(await client.evalSha(sha, { keys: ['k'] }), ['k', 7]);
      assert.deepEqual(await client.scriptExists([sha, 'f'.repeat(40)]), [1, 0]);
      await assert.rejects(client.evalSha('f'.repeat(40), { keys: ['k'] }), /^Error: NOSCRIPT|SimpleError: NOSCRIPT/);
      assert.deepEqual(await client.eval('return {1, 2, {3, ARGV[1]}}', { keys: ['k'], arguments: ['x'] }), [
        1,
        2,
        [3, 'x'],
      ]);
    });

    it('functions', async () => {
      const client = await open();
      const code = `#!lua name=evalgatetest${RESP}\nredis.register_function('twice${RESP}', function(keys) return redis.call('GET', keys[1]) * 2 end)`;
      await client.functionLoad(code, { REPLACE: true });
      for (let i = 0; i < 10; i++) {
        await client.set(`fn:${i}`, String(i));
        assert.equal(await client.fCall(`twice${RESP}`, { keys: [`fn:${i}`] }), 2 * i);
      }
    });

    it('multi and watch', async () => {
      const [client, other] = [await open(), await open()];
      await client.set('{m}other', 'another-value');
      assert.deepEqual(await client.multi().set('{m}key', 'value').get('{m}other').exec(), ['OK', 'another-value']);
      await client.watch('{m}key');
      await other.set('{m}key', 'changed');
      await assert.rejects(client.multi().set('{m}key', 'mine').exec(), WatchError);
      assert.equal(await client.get('{m}key'), 'changed');
    });

    it('scripts in a transaction, with the profile safe', async () => {
      const client = await open(safe.address.port);
      await client.del('{m}n');
      assert.deepEqual(await client.multi().add('{m}n', 4).add('{m}n', 5).exec(), [4, 9]);
    });

    it('blocking commands on a pool', async () => {
      const pool = createClientPool({ url: `redis://127.0.0.1:${gateway.port}`, RESP });
      opened.push(pool);
      await pool.connect();
      const popped = pool.blPop('queue', 10);
      await pool.lPush('queue', 'job');
      assert.deepEqual({ ...(await popped) }, { key: 'queue', element: 'job' });
      assert.equal(await pool.blPop('empty', 0.05), null);
      const read = pool.xRead({ key: 'stream', id: '0' }, { BLOCK: 10_000 });
      await pool.xAdd('stream', '1-1', { name: 'John' });
      assert.match(JSON.stringify(await read), /"1-1".*John/);
    });

    it('pub/sub: channels, patterns, shards', async () => {
      const [subscriber, publisher] = [await open(), await open()];
      const got: string[] = [];
      await subscriber.subscribe('news', (message, channel) => got.push(`${channel} ${message}`));
      await subscriber.pSubscribe('mus*', (message, channel) => got.push(`pattern ${channel} ${message}`));
      await subscriber.sSubscribe('shard', (message, channel) => got.push(`shard ${channel} ${message}`));
      await publisher.publish('news', '1');
      await publisher.publish('music', '2');
      assert.equal(await publisher.sPublish('shard', '3'), 1);
      await waitFor('three messages', () => got.length >= 3);
      assert.deepEqual(got.sort(), ['news 1', 'pattern music 2', 'shard shard 3']);
      await subscriber.unsubscribe('news');
      await subscriber.pUnsubscribe('mus*');
      await subscriber.sUnsubscribe('shard');
      assert.equal(await subscriber.get('none'), null);
    });

    it('reconnects, with subscriptions and scripts', async () => {
      const [client, subscriber, other] = [await open(), await open(), await open()];
      const got: string[] = [];
      const ids = [await client.clientId(), await subscriber.clientId()];
      await subscriber.subscribe('after', (message) => got.push(message));
      await client.set('r:n', '0');
      assert.equal(await client.add('r:n', 1), 1);
      for (const id of ids) await other.clientKill({ filter: 'ID', id });
      assert.equal(await client.add('r:n', 1), 2);
      await waitFor('the subscription is back', async () => {
        await other.publish('after', 'hello');
        return got.length > 0;
      });
    });

    it('createCluster: keys in many slots, scripts, multi, pub/sub', async () => {
      const cluster = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${gateway.port}` }], RESP, scripts });
      opened.push(cluster);
      await cluster.connect();
      await Promise.all(KEYS.map((key) => cluster.set(`c:${key}`, '1')));
      await loseScripts(gateway.cluster);
      assert.deepEqual(await Promise.all(KEYS.map((key) => cluster.add(`c:${key}`, 1))), Array(KEYS.length).fill(2));
      assert.deepEqual(await cluster.multi().set('{c}1', 'x').get('{c}1').exec(), ['OK', 'x']);
      const got: string[] = [];
      await cluster.subscribe('cluster-news', (message) => got.push(message));
      await cluster.sSubscribe('cluster-shard', (message) => got.push(message));
      await cluster.publish('cluster-news', 'a');
      await cluster.sPublish('cluster-shard', 'b');
      await waitFor('two messages', () => got.length >= 2);
      assert.deepEqual(got.sort(), ['a', 'b']);
    });
  });
}
