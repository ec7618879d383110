/**
 * Scripts that outlive a proxy and are shared by several: SCRIPT LOAD, EVALSHA and SCRIPT FLUSH over the wire, with the
 * store in the cluster and in a folder, while what can go wrong does.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test';
import type { ConfigInput } from '../../src/control/config.ts';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { ClusterStore } from '../../src/control/stores/cluster.ts';
import { shaOf } from '../../src/script/sha.ts';
import { encodeCommand, RawClient } from '../support/client.ts';
import { freeze, tagInSlot, thaw, waitFor, waitUntilAgreed } from '../support/cluster.ts';
import { startProxy } from '../support/gateway.ts';
import { storeContract } from '../support/store-contract.ts';

const KEYS = [100, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`);
const [K1 = ''] = KEYS;
const NOSCRIPT = /^-NOSCRIPT /;

type Store = NonNullable<NonNullable<ConfigInput['scripting']>['store']>;

describe('script stores', () => {
  let cluster: LocalCluster;
  let nextPrefix = 0;
  let nextBody = 0;
  let prefix = '';

  before(async () => {
    cluster = await LocalCluster.start({ replicas: 0 });
  });
  after(() => cluster.stop());
  beforeEach(() => {
    prefix = `test${nextPrefix++}:`;
  });

  function newBody(): string {
    return `return redis.call('INCR', KEYS[1]) -- ${nextBody++}`;
  }

  async function start(t: TestContext, store: Store): Promise<{ proxy: ProxyServer; client: RawClient }> {
    const proxy = await startProxy(cluster, { scripting: { store }, log: { level: 'fatal' }, listen: { drain_ms: 0 } });
    const client = await RawClient.connect(proxy.address.port);
    t.after(async () => {
      client.close();
      await proxy.stop();
    });
    return { proxy, client };
  }

  const shared = (): Store => ({ type: 'cluster', prefix });

  function folderOf(t: TestContext): string {
    const folder = mkdtempSync(join(tmpdir(), 'evalgate-stores-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return join(folder, 'scripts');
  }

  /** As a restarted or promoted node: it has no script. */
  async function emptyNodes(): Promise<void> {
    for (const node of cluster.masters) await node.client().script('FLUSH');
  }

  async function load(client: RawClient, body = newBody()): Promise<string> {
    const sha = shaOf(Buffer.from(body));
    assert.equal(await client.text('SCRIPT', 'LOAD', body), `$40\r\n${sha}\r\n`);
    return sha;
  }

  async function assertCallable(client: RawClient, sha: string): Promise<void> {
    for (const key of KEYS) assert.match(await client.text('EVALSHA', sha, 1, key), /^:\d+\r\n$/);
  }

  async function storeKeys(): Promise<string[]> {
    const keys = await Promise.all(cluster.masters.map((node) => node.client().keys(`${prefix}*`)));
    return keys.flat().sort();
  }

  describe('ClusterStore', () => {
    storeContract(async (t) => {
      const { masters } = cluster;
      const seeds = masters.map(({ host, port }) => ({ host, port }));
      const options = { username: undefined, password: undefined, natMap: new Map(), onDamaged: () => {} };
      const store = new ClusterStore({ ...options, seeds, prefix: `${prefix}[*]` });
      t.after(() => store.close());
      return store;
    });
  });

  describe('cluster', () => {
    it('SCRIPT LOAD at one is usable by EVALSHA at the other at once', async (t) => {
      const [a, b] = [await start(t, shared()), await start(t, shared())];
      for (let i = 0; i < 20; i++) {
        const sha = await load(a.client);
        await emptyNodes();
        await assertCallable(b.client, i % 2 ? sha.toUpperCase() : sha);
      }
    });

    it('EVALSHA in vain at one, SCRIPT LOAD at the other, EVALSHA at the first', async (t) => {
      const [a, b] = [await start(t, shared()), await start(t, shared())];
      const body = newBody();
      const sha = shaOf(Buffer.from(body));
      assert.match(await a.client.text('EVALSHA', sha, 1, K1), NOSCRIPT);
      assert.match(await a.client.text('SCRIPT', 'SHOW', sha), /^-/);
      await load(b.client, body);
      await emptyNodes();
      assert.equal(await a.client.text('SCRIPT', 'EXISTS', sha, 'f'.repeat(40)), '*2\r\n:1\r\n:0\r\n');
      await assertCallable(a.client, sha);
    });

    it('replies stay in order around a lookup', async (t) => {
      const [a, b] = [await start(t, shared()), await start(t, shared())];
      const sha = await load(a.client);
      await emptyNodes();
      await b.client.text('SET', K1, 0);
      const replies = await b.client.pipeline([
        ['INCR', K1],
        ['EVALSHA', sha, 1, K1],
        ['EVALSHA', 'e'.repeat(40), 1, K1],
        ['INCR', K1],
        ['EVALSHA', 'd'.repeat(40), 1, K1],
        ['PING'],
      ]);
      const [one, two, three, four, five, six] = replies.map(String);
      assert.deepEqual([one, two, four, six], [':1\r\n', ':2\r\n', ':3\r\n', '+PONG\r\n']);
      assert.match(three ?? '', NOSCRIPT);
      assert.match(five ?? '', NOSCRIPT);
    });

    it('a client that closes its side during a lookup gets its replies', async (t) => {
      const [a, b] = [await start(t, shared()), await start(t, shared())];
      const sha = await load(a.client);
      await emptyNodes();
      await b.client.text('SET', K1, 5);
      b.client.send(encodeCommand(['EVALSHA', sha, 1, K1]));
      b.client.send(encodeCommand(['GET', K1]));
      b.client.endWrites();
      assert.deepEqual((await b.client.repliesUntilEnd()).map(String), [':6\r\n', '$1\r\n6\r\n']);
    });

    it('the announcement spares the others the lookup', async (t) => {
      const [a, b] = [await start(t, shared()), await start(t, shared())];
      const sha = await load(a.client);
      await waitFor('the other knows it', () => b.proxy.registry.findBySha(sha)?.origin === 'load');
    });

    it('SCRIPT FLUSH at one empties the other within a second, and the store', async (t) => {
      const [a, b] = [await start(t, shared()), await start(t, shared())];
      const sha = await load(a.client);
      await assertCallable(b.client, sha);
      assert.equal(await a.client.text('SCRIPT', 'FLUSH'), '+OK\r\n');
      const flushedMs = performance.now();
      await waitFor('the other is empty', () => b.proxy.registry.count === 0);
      assert.ok(performance.now() - flushedMs < 1000);
      for (const { client } of [a, b]) assert.match(await client.text('EVALSHA', sha, 1, K1), NOSCRIPT);
      await waitFor('the store is empty', async () => (await storeKeys()).join() === `${prefix}epoch`);
      const other = await load(b.client);
      await emptyNodes();
      await assertCallable(a.client, other);
    });

    it('SCRIPT FLUSH under load leaves the scripts in use on no node', async (t) => {
      const [a, b] = [await start(t, shared()), await start(t, shared())];
      const sha = await load(a.client);
      await assertCallable(b.client, sha);
      let isDone = false;
      const calls = KEYS.map((key) => ['EVALSHA', sha, 1, key]);
      const callers = [a, b].map(async ({ proxy }) => {
        const client = await RawClient.connect(proxy.address.port);
        while (!isDone) await client.pipeline([...calls, ...calls, ...calls]);
        client.close();
      });
      await Promise.all(
        [a, b].map(({ proxy }) => {
          const called = proxy.counters.requests + 200;
          return waitFor('it is called', () => proxy.counters.requests > called);
        }),
      );
      assert.equal(await a.client.text('SCRIPT', 'FLUSH'), '+OK\r\n');
      await waitFor('both have forgotten it', () => [a, b].every(({ proxy }) => proxy.registry.count === 0));
      const isOn = () => Promise.all(cluster.masters.map((node) => node.client().script('EXISTS', sha)));
      await waitFor('no node has it', async () => (await isOn()).flat().every((has) => has === 0));
      for (const { client } of [a, b]) for (const call of calls) assert.match(await client.text(...call), NOSCRIPT);
      isDone = true;
      await Promise.all(callers);
      assert.deepEqual((await isOn()).flat(), [0, 0, 0]);
    });

    it('a new proxy knows what was loaded before it came, and nothing that was flushed', async (t) => {
      const a = await start(t, shared());
      const flushed = await load(a.client);
      await a.client.text('SCRIPT', 'FLUSH');
      const kept = await load(a.client);
      await a.proxy.stop();
      await emptyNodes();
      const b = await start(t, shared());
      assert.ok(b.proxy.registry.findBySha(kept));
      assert.equal(b.proxy.registry.findBySha(flushed), undefined);
      await assertCallable(b.client, kept);
      assert.match(await b.client.text('EVALSHA', flushed, 1, K1), NOSCRIPT);
    });

    it('a script that came by EVAL is stored at its second use, not before', async (t) => {
      const a = await start(t, shared());
      const [once, twice] = [newBody(), newBody()];
      await a.client.pipeline([
        ['EVAL', once, 1, K1],
        ['EVAL', twice, 1, K1],
        ['EVAL', twice, 1, K1],
      ]);
      await waitFor('it is stored', async () => (await storeKeys()).length === 2);
      await a.proxy.stop();
      await emptyNodes();
      const b = await start(t, shared());
      await assertCallable(b.client, shaOf(Buffer.from(twice)));
      assert.match(await b.client.text('EVALSHA', shaOf(Buffer.from(once)), 1, K1), NOSCRIPT);
    });

    it('FLUSHALL loses no scripts: the store is filled again from memory', async (t) => {
      const [a, b] = [await start(t, shared()), await start(t, shared())];
      await a.client.text('SCRIPT', 'FLUSH');
      const shas = [await load(a.client), await load(a.client), await load(b.client)];
      const before = await storeKeys();
      assert.equal(before.length, 4);
      assert.equal(await a.client.text('FLUSHALL'), '+OK\r\n');
      await waitFor('all is back', async () => (await storeKeys()).join() === before.join());
      await emptyNodes();
      for (const sha of shas) for (const { client } of [a, b]) await assertCallable(client, sha);
      await Promise.all([a.proxy.stop(), b.proxy.stop()]);
      const c = await start(t, shared());
      for (const sha of shas) await assertCallable(c.client, sha);
    });

    it('a shard that does not answer delays SCRIPT LOAD by a second at most, and gets the script later', async (t) => {
      const a = await start(t, shared());
      const frozen = cluster.masters[0];
      assert.ok(frozen);
      freeze(frozen);
      const bodies = Array.from({ length: 6 }, newBody);
      const startedMs = performance.now();
      const shas = bodies.map((body) => shaOf(Buffer.from(body)));
      // SCRIPT LOAD itself waits a second for the frozen node.
      for (const body of bodies.slice(0, 2)) await load(a.client, body);
      assert.ok(performance.now() - startedMs < 2 * 2500);
      thaw(frozen);
      for (const body of bodies.slice(2)) await load(a.client, body);
      await waitUntilAgreed(cluster);
      await waitFor('all is stored', async () => (await storeKeys()).length === shas.length + 1);
      const b = await start(t, shared());
      for (const sha of shas) await assertCallable(b.client, sha);
    });
  });

  describe('directory', () => {
    it('a restart of the proxy keeps what was loaded, in spite of damaged files', async (t) => {
      const path = folderOf(t);
      const a = await start(t, { type: 'directory', path });
      const [kept, damaged] = [await load(a.client), await load(a.client)];
      await a.proxy.stop();
      await emptyNodes();
      writeFileSync(join(path, `${damaged}.lua`), 'return 1');
      const b = await start(t, { type: 'directory', path });
      await assertCallable(b.client, kept);
      assert.match(await b.client.text('EVALSHA', damaged, 1, K1), NOSCRIPT);
      assert.equal(await b.client.text('SCRIPT', 'FLUSH'), '+OK\r\n');
      await waitFor('the folder is empty', () => readdirSync(path).join() === 'epoch');
      await b.proxy.stop();
      const c = await start(t, { type: 'directory', path });
      assert.match(await c.client.text('EVALSHA', kept, 1, K1), NOSCRIPT);
    });

    it('a folder that cannot be written degrades to memory and is caught up', async (t) => {
      const path = folderOf(t);
      const a = await start(t, { type: 'directory', path });
      const first = await load(a.client);
      rmSync(path, { recursive: true });
      writeFileSync(path, 'in the way');
      const second = await load(a.client);
      for (const sha of [first, second]) await assertCallable(a.client, sha);
      assert.equal(await a.client.text('SCRIPT', 'EXISTS', first, second), '*2\r\n:1\r\n:1\r\n');
      rmSync(path);
      await waitFor('both are stored', () => readdirSync(path).filter((name) => name.endsWith('.lua')).length === 2);
      await a.proxy.stop();
      await emptyNodes();
      const b = await start(t, { type: 'directory', path });
      for (const sha of [first, second]) await assertCallable(b.client, sha);
    });
  });
});
