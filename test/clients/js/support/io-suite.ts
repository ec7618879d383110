/**
 * What ioredis and its descendant iovalkey promise in their READMEs, against a real cluster behind evalgate: the same for
 * both, since their interface is the same. Each library has its own test file, which calls this with its classes.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Cluster, Redis } from 'ioredis';
import type { ProxyServer } from '../../../../src/control/proxy.ts';
import { Gateway, startProxy } from '../../../support/gateway.ts';
import { loseScripts } from './lost-scripts.ts';
import { next } from './subscriptions.ts';

export interface IoLibrary {
  readonly name: string;
  readonly Redis: new (options: object) => Redis;
  readonly Cluster: new (nodes: { host: string; port: number }[], options: object) => Cluster;
  /** Every way to connect that the library has: RESP versions, say. */
  readonly variants: Readonly<Record<string, Options>>;
}

/** What the tests set of the library's options. */
interface Options {
  readonly port?: number;
  readonly protocol?: 2 | 3;
  readonly connectionName?: string;
  readonly keyPrefix?: string;
  readonly enableAutoPipelining?: boolean;
}

interface Commands {
  add(key: string, by: number): Promise<number>;
  echo2(numkeys: number, ...rest: string[]): Promise<string[]>;
  echo2Buffer(numkeys: number, ...rest: string[]): Promise<Buffer[]>;
}

/** The commands of ours in a pipeline or a transaction. */
interface Chain {
  add(key: string, by: number): Chain;
  exec(): Promise<unknown>;
}

const KEYS = Array.from({ length: 100 }, (_, i) => `key:${i}`);
const SCRIPTS = {
  add: { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" },
  echo2: { lua: 'return {KEYS[1], ARGV[1]}' },
};

export function describeIoLibrary(library: IoLibrary): void {
  describe(library.name, () => {
    let gateway: Gateway;
    /** Scripts in transactions are refused by the profile `tair`. */
    let safe: ProxyServer;
    const opened: { disconnect(): void }[] = [];

    before(async () => {
      gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
      safe = await startProxy(gateway.cluster, { scripting: { script_check_profile: 'safe' } });
    });
    after(async () => {
      for (const client of opened) client.disconnect();
      await safe.stop();
      await gateway.stop();
    });

    for (const [variant, options] of Object.entries(library.variants)) {
      const open = (more: Options = {}): Redis & Commands => {
        const client = new library.Redis({
          host: '127.0.0.1',
          port: gateway.port,
          scripts: SCRIPTS,
          ...options,
          ...more,
        });
        opened.push(client);
        return client as Redis & Commands;
      };
      const openCluster = (more: Options = {}): Cluster & Commands => {
        const nodes = [{ host: '127.0.0.1', port: more.port ?? gateway.port }];
        const cluster = new library.Cluster(nodes, {
          scripts: SCRIPTS,
          redisOptions: { ...options, ...more } as object,
        });
        opened.push(cluster);
        return cluster as Cluster & Commands;
      };
      describe(variant, () => {
        describeSingle(open, () => gateway);
        describeTransactions(open, () => safe.address.port);
        describePubSub(open, openCluster);
        describeBlocking(open);
        describeReconnecting(open);
        describeCluster(openCluster, () => gateway);
      });
    }
  });
}

type Open = (more?: Options) => Redis & Commands;
type OpenCluster = (more?: Options) => Cluster & Commands;

function describeSingle(open: Open, gateway: () => Gateway): void {
  it('values of every kind', async () => {
    const redis = open();
    assert.equal(await redis.set('mykey', 'value', 'EX', 10), 'OK');
    assert.equal(await redis.get('mykey'), 'value');
    await redis.zadd('sortedSet', '1', 'one', '2', 'dos', '4', 'quatro', '3', 'three');
    const range = await redis.zrange('sortedSet', '0', '2', 'WITHSCORES');
    assert.deepEqual(range.flat().map(String), ['one', '1', 'dos', '2', 'three', '3']);
    await redis.hset('myhash', { field1: 'v1', field2: 'v2' });
    assert.deepEqual(await redis.hgetall('myhash'), { field1: 'v1', field2: 'v2' });
    await redis.sadd('set', '1', '3', '5', '7');
    assert.deepEqual((await redis.smembers('set')).sort(), ['1', '3', '5', '7']);
    const bytes = Buffer.from([0, 13, 10, 255]);
    await redis.set('bytes', bytes);
    assert.deepEqual(await redis.getBuffer('bytes'), bytes);
    await redis.mset(Object.fromEntries(KEYS.map((key, i) => [key, String(i)])));
    assert.deepEqual(
      await redis.mget(KEYS),
      KEYS.map((_, i) => String(i)),
    );
    await assert.rejects(redis.lpush('mykey', 'x'), /WRONGTYPE/);
  });

  it('pipelines, with an error in the middle', async () => {
    const redis = open();
    const results = await redis.pipeline().set('p:foo', 'bar').lpush('p:foo', 'x').get('p:foo').del('p:foo').exec();
    assert.deepEqual(results?.[0], [null, 'OK']);
    assert.match(String(results?.[1]?.[0]), /WRONGTYPE/);
    assert.deepEqual(results?.slice(2), [
      [null, 'bar'],
      [null, 1],
    ]);
  });

  it('scanStream sees every key of every node', async () => {
    const redis = open();
    await redis.mset(Object.fromEntries(KEYS.map((key) => [`scan:${key}`, '1'])));
    const seen = new Set<string>();
    for await (const keys of redis.scanStream({ match: 'scan:*', count: 20 })) {
      for (const key of keys as string[]) seen.add(key);
    }
    assert.equal(seen.size, KEYS.length);
  });

  it('defineCommand: first use, later use, nodes that forgot, buffers', async () => {
    const redis = open();
    redis.defineCommand('double', { numberOfKeys: 1, lua: "return redis.call('GET', KEYS[1]) * 2" });
    await redis.set('n', 21);
    const { double } = redis as unknown as { double: (key: string) => Promise<number> };
    assert.equal(await double.call(redis, 'n'), 42);
    await loseScripts(gateway().cluster);
    assert.equal(await double.call(redis, 'n'), 42);
    assert.deepEqual(await redis.echo2(1, 'k', 'a'), ['k', 'a']);
    assert.deepEqual(await redis.echo2Buffer(1, 'k', 'a'), [Buffer.from('k'), Buffer.from('a')]);
  });

  it('scripts in a pipeline over many slots, after the nodes forgot them', async () => {
    const redis = open({ keyPrefix: 'prefix:' });
    await redis.del(KEYS);
    await Promise.all(KEYS.map((key) => redis.add(key, 1)));
    await loseScripts(gateway().cluster);
    const pipeline = redis.pipeline();
    for (const key of KEYS) (pipeline as unknown as Chain).add(key, 2);
    assert.deepEqual(
      await pipeline.exec(),
      KEYS.map(() => [null, 3]),
    );
  });

  it('enableAutoPipelining: keys in many slots, scripts, after the nodes forgot them', async () => {
    const redis = open({ enableAutoPipelining: true });
    await Promise.all(KEYS.map((key) => redis.set(`auto:${key}`, 5)));
    await loseScripts(gateway().cluster);
    const sums = await Promise.all(KEYS.map((key) => redis.add(`auto:${key}`, 2)));
    assert.deepEqual(
      sums,
      KEYS.map(() => 7),
    );
    assert.deepEqual(await Promise.all(KEYS.map((key) => redis.get(`auto:${key}`))), Array(KEYS.length).fill('7'));
  });

  it('script load, evalsha and exists by hand', async () => {
    const redis = open();
    const sha = String(await redis.script('LOAD', 'return {KEYS[1], 1, false}'));
    await loseScripts(gateway().cluster);
    assert.deepEqual(await redis.script('EXISTS', sha, 'f'.repeat(40)), [1, 0]);
    assert.deepEqual(await redis.evalsha(sha, 1, 'anything'), ['anything', 1, null]);
    await assert.rejects(redis.evalsha('f'.repeat(40), 1, 'k'), /^ReplyError: NOSCRIPT/);
    await assert.rejects(redis.eval("return redis.error_reply('MY own error')", 1, 'k'), /MY own error/);
  });
}

function describeTransactions(open: Open, safePort: () => number): void {
  it('multi: pipelined, one by one, discarded, with an error', async () => {
    const redis = open();
    const results = await redis.multi().set('{t}a', '1').incr('{t}a').get('{t}a').exec();
    assert.deepEqual(results, [
      [null, 'OK'],
      [null, 2],
      [null, '2'],
    ]);
    await redis.multi({ pipeline: false });
    assert.equal(await redis.set('{t}b', 'x'), 'QUEUED');
    assert.deepEqual(await redis.exec(), [[null, 'OK']]);
    await assert.rejects(redis.multi().call('SET', '{t}c').get('{t}c').exec(), /EXECABORT/);
    const mixed = await redis.multi().set('{t}d', 'x').lpush('{t}d', 'y').exec();
    assert.match(String(mixed?.[1]?.[0] ?? mixed?.[1]), /WRONGTYPE/);
  });

  it('watch: a change by another client makes exec answer null', async () => {
    const [redis, other] = [open(), open()];
    await redis.watch('{w}a');
    await other.set('{w}a', 'changed');
    assert.equal(await redis.multi().set('{w}a', 'mine').exec(), null);
    assert.equal(await redis.get('{w}a'), 'changed');
  });

  it('scripts in a transaction, with the profile safe', async () => {
    const redis = open({ port: safePort() });
    await redis.del('{t}n');
    const multi = redis.multi() as unknown as Chain;
    assert.deepEqual(await multi.add('{t}n', 4).add('{t}n', 5).exec(), [
      [null, 4],
      [null, 9],
    ]);
  });

  it('scripts in a transaction, with the profile tair: refused, as by Tair', async () => {
    const redis = open();
    const multi = redis.multi() as unknown as Chain;
    await assert.rejects(multi.add('{t}n', 4).exec(), /EXECABORT/);
  });
}

function describePubSub(open: Open, openCluster: OpenCluster): void {
  it('subscribe, psubscribe, unsubscribe', async () => {
    const [subscriber, publisher] = [open(), open()];
    assert.equal(await subscriber.subscribe('news', 'music'), 2);
    let message = next(subscriber, 'message');
    await publisher.publish('news', 'hello');
    assert.deepEqual(await message, ['news', 'hello']);
    assert.equal(await subscriber.psubscribe('m?sic'), 3);
    message = next(subscriber, 'pmessage');
    await publisher.publish('music', 'tune');
    assert.deepEqual(await message, ['m?sic', 'music', 'tune']);
    await subscriber.unsubscribe('news', 'music');
    assert.equal(await subscriber.punsubscribe('m?sic'), 0);
    assert.equal(await subscriber.get('{none}'), null);
  });

  it('subscriptions come back after the connection was lost', async () => {
    const [subscriber, publisher] = [open(), open()];
    const id = await subscriber.client('ID');
    await subscriber.subscribe('again');
    const ready = next(subscriber, 'ready');
    await publisher.client('KILL', 'ID', id);
    await ready;
    // The subscription is renewed after `ready`: publish until it is there.
    const message = next(subscriber, 'message');
    const timer = setInterval(() => publisher.publish('again', 'hello').catch(() => {}), 20);
    assert.deepEqual(await message, ['again', 'hello']);
    clearInterval(timer);
  });

  it('sharded pub/sub by hand and in Cluster mode', async () => {
    const [subscriber, publisher, cluster] = [open(), open(), openCluster()];
    await subscriber.ssubscribe('shard{1}');
    const message = next(subscriber, 'smessage');
    assert.equal(await cluster.spublish('shard{1}', 'hello'), 1);
    assert.deepEqual(await message, ['shard{1}', 'hello']);
    await subscriber.sunsubscribe('shard{1}');
    await cluster.subscribe('by-cluster');
    const second = next(cluster, 'message');
    await publisher.publish('by-cluster', 'hello');
    assert.deepEqual(await second, ['by-cluster', 'hello']);
  });
}

function describeBlocking(open: Open): void {
  it('blpop, brpoplpush, bzpopmin, xread block, and their timeout', async () => {
    const [consumer, producer] = [open(), open()];
    const popped = consumer.blpop('{b}list', '{b}other', 10);
    await producer.rpush('{b}list', 'element');
    assert.deepEqual(await popped, ['{b}list', 'element']);
    const moved = consumer.brpoplpush('{b}list', '{b}target', 10);
    await producer.rpush('{b}list', 'moving');
    assert.equal(await moved, 'moving');
    const least = consumer.bzpopmin('{b}zset', 10);
    await producer.zadd('{b}zset', 1, 'member');
    assert.deepEqual((await least)?.map(String), ['{b}zset', 'member', '1']);
    await producer.del('{b}stream');
    const read = consumer.xread('BLOCK', 10_000, 'STREAMS', '{b}stream', '0');
    await producer.xadd('{b}stream', '1-1', 'name', 'John');
    assert.match(JSON.stringify(await read), /"1-1",\["name","John"\]/);
    assert.equal(await consumer.blpop('{b}empty', 0.05), null);
  });
}

function describeReconnecting(open: Open): void {
  it('reconnects, sends what waited, and scripts work on', async () => {
    const [redis, other] = [open({ connectionName: 'reconnects' }), open()];
    const id = await redis.client('ID');
    await redis.del('r:n');
    assert.equal(await redis.add('r:n', 1), 1);
    const closed = next(redis, 'close');
    await other.client('KILL', 'ID', id);
    await closed;
    const waiting = [redis.add('r:n', 1), redis.add('r:n', 1), redis.get('r:n')];
    assert.deepEqual(await Promise.all(waiting), [2, 3, '3']);
    assert.equal(await redis.client('GETNAME'), 'reconnects');
  });
}

function describeCluster(openCluster: OpenCluster, gateway: () => Gateway): void {
  it('Cluster: keys in many slots, pipelines, scripts, multi', async () => {
    const cluster = openCluster();
    await Promise.all(KEYS.map((key) => cluster.set(`c:${key}`, 1)));
    await loseScripts(gateway().cluster);
    const pipeline = cluster.pipeline();
    for (const key of KEYS) (pipeline as unknown as Chain).add(`c:${key}`, 1);
    assert.deepEqual(
      await pipeline.exec(),
      KEYS.map(() => [null, 2]),
    );
    assert.deepEqual(await Promise.all(KEYS.map((key) => cluster.add(`c:${key}`, 1))), Array(KEYS.length).fill(3));
    assert.deepEqual(await cluster.multi().set('{c}1', 'x').get('{c}1').exec(), [
      [null, 'OK'],
      [null, 'x'],
    ]);
    assert.equal(cluster.nodes('all').length, 1);
  });
}
