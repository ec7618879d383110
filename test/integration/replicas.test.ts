/**
 * Reads from replicas: what goes there and what does not, and replicas that die, freeze, load, lose their master, are
 * promoted or run a script for long.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../src/control/proxy.ts';
import type { NodeFacts } from '../../src/upstream/node-facts.ts';
import { type Argument, RawClient } from '../support/client.ts';
import { failOver, freeze, isMaster, thaw, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { SPIN_LUA } from '../support/spin.ts';
import { SERVER } from '../support/versions.ts';

const READ = "return redis.call('GET', KEYS[1])";
const WRITE = "return redis.call('INCR', KEYS[1])";
const UNPROVEN = 'local c = ARGV[1] return redis.call(c, KEYS[1])';
const SPIN = 'while true do end';
const LIBRARY = `#!lua name=reading
redis.register_function{function_name='read', flags={'no-writes'}, callback=function(keys) return redis.call('GET', keys[1]) end}`;

/** Calls that a node has counted, by command: those of clients and, at a replica, those of its master. */
async function callsAt(node: LocalNode): Promise<Map<string, number>> {
  const stats = await node.client().info('commandstats');
  return new Map(
    [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name, count]) => [name ?? '', Number(count)]),
  );
}

async function resetStats(nodes: readonly LocalNode[]): Promise<void> {
  for (const node of nodes) await node.client().config('RESETSTAT');
}

function factsOf(proxy: ProxyServer, node: LocalNode): NodeFacts {
  const known = [...proxy.topology.nodes.values()].find(({ address }) => address === node.address);
  assert.ok(known, `${node.address} is not part of the topology`);
  return proxy.upstream.factsOf(known);
}

/** Resolves when the client's reads are answered by a replica. */
async function untilReplicaAnswers(proxy: ProxyServer, client: RawClient): Promise<void> {
  await waitFor('a replica answers', async () => {
    const before = proxy.counters.replicaReads;
    await client.text('GET', 'warm');
    return proxy.counters.replicaReads > before;
  });
}

describe('reads from replicas', () => {
  let gateway: Gateway;
  let clients: RawClient[];
  let client: RawClient;

  before(async () => {
    gateway = await Gateway.start(
      {
        masters: 1,
        replicas: 2,
        config: {
          'lua-time-limit': '100',
          'repl-diskless-sync-delay': '0',
          // 6.2 lets everybody DEBUG, and does not know the option.
          ...(SERVER.version < 7 ? {} : { 'enable-debug-command': 'local' }),
        },
      },
      {
        cluster: { read_from: 'replica', refresh_interval_ms: 1000 },
        scripting: { readonly_lua_route_ronode_enable: 1 },
      },
    );
  });
  after(() => gateway.stop());
  beforeEach(async () => {
    await waitUntilInSync();
    clients = await Promise.all(Array.from({ length: 4 }, () => RawClient.connect(gateway.port)));
    client = clients[0] as RawClient;
    for (const each of clients) await untilReplicaAnswers(gateway.proxy, each);
  });
  afterEach(() => {
    for (const each of clients) each.close();
  });

  async function roles(): Promise<{ master: LocalNode; replicas: LocalNode[] }> {
    const nodes = gateway.cluster.nodes.filter((node) => node.isRunning);
    const are = await Promise.all(nodes.map(isMaster));
    const master = nodes.find((_, i) => are[i]);
    assert.ok(master);
    return { master, replicas: nodes.filter((node) => node !== master) };
  }

  async function waitUntilInSync(): Promise<void> {
    await waitFor('both replicas are in order, and known to be', async () => {
      const { replicas } = await roles();
      return replicas.length === 2 && replicas.every((node) => factsOf(gateway.proxy, node).isInSync);
    });
  }

  async function setEverywhere(key: string, value: string): Promise<void> {
    assert.equal(await client.text('SET', key, value), '+OK\r\n');
    await waitFor(`${key} is replicated`, async () => (await client.text('WAIT', '2', '1000')) === ':2\r\n');
  }

  it('go there, and everything else to the primary', async () => {
    const { master, replicas } = await roles();
    await client.command('FUNCTION', 'LOAD', 'REPLACE', LIBRARY);
    await client.pipeline([
      ['HSET', 'h', 'f', 'v'],
      ['ZADD', 'z', '1', 'm'],
      ['SADD', 's', 'm'],
      ['XADD', 'x', '1-1', 'f', 'v'],
      ['PFADD', 'p', 'a'],
    ]);
    await setEverywhere('k', 'v');
    const sha = (await client.text('SCRIPT', 'LOAD', READ)).split('\r\n')[1] ?? '';
    const [first, ...others] = [master, ...replicas];
    assert.ok(first);
    const reads: [name: string, ...args: Argument[]][] = [
      ['get', 'GET', 'k'],
      ['mget', 'MGET', 'k', '{k}other'],
      ['exists', 'EXISTS', '{k}other', 'k'],
      ['hget', 'HGET', 'h', 'f'],
      ['ttl', 'TTL', 'k'],
      ['xread', 'XREAD', 'STREAMS', 'x', '0'],
      ['object|encoding', 'OBJECT', 'ENCODING', 'k'],
      ['eval_ro', 'EVAL_RO', `${READ} -- ro`, '1', 'k'],
      ['eval', 'EVAL', `${READ} -- proven`, '1', 'k'],
      ['evalsha', 'EVALSHA', sha, '1', 'k'],
      ['evalsha_ro', 'EVALSHA_RO', sha, '1', 'k'],
      ['fcall_ro', 'FCALL_RO', 'read', '1', 'k'],
    ];
    const rest: [name: string, ...args: Argument[]][] = [
      ['set', 'SET', 'k2', 'v'],
      ['getset', 'GETSET', 'k2', 'v'],
      ['hscan', 'HSCAN', 'h', '0'],
      ['sscan', 'SSCAN', 's', '0'],
      ['zscan', 'ZSCAN', 'z', '0'],
      ['scan', 'SCAN', '0'],
      ['keys', 'KEYS', 'nothing'],
      ['dbsize', 'DBSIZE'],
      ['randomkey', 'RANDOMKEY'],
      ['touch', 'TOUCH', 'k'],
      ['object|idletime', 'OBJECT', 'IDLETIME', 'k'],
      ['pfcount', 'PFCOUNT', 'p'],
      ['fcall', 'FCALL', 'read', '1', 'k'],
      ['eval', 'EVAL', WRITE, '1', 'n'],
      ['eval', 'EVAL', '#!lua\nreturn 1', '1', 'n'],
    ];
    await client.command('EVAL', READ, '1', 'k');
    for (const [name, ...args] of reads) {
      await resetStats(gateway.cluster.nodes);
      const reply = await client.text(...args);
      assert.doesNotMatch(reply, /^-/, `${args}: ${reply}`);
      assert.equal((await callsAt(first)).get(name) ?? 0, 0, `${args} at the primary`);
      const calls = await Promise.all(others.map(callsAt));
      const sum = calls.reduce((total, stats) => total + countOf(stats, name), 0);
      assert.equal(sum, 1, `${args} at replicas`);
    }
    const before = gateway.proxy.counters.replicaReads;
    assert.equal(await client.text('MGET', 'k', 'none'), '*2\r\n$1\r\nv\r\n$-1\r\n');
    assert.equal(gateway.proxy.counters.replicaReads, before + 2, 'each part goes to a replica');
    for (const [name, ...args] of rest) {
      await resetStats([first]);
      const reply = await client.text(...args);
      assert.doesNotMatch(reply, /^-/, `${args}: ${reply}`);
      assert.equal(countOf(await callsAt(first), name), 1, `${args} at the primary`);
    }
    assert.equal(gateway.proxy.counters.replicaReads, before + 2);
  });

  /** A script goes up by sha or with its body, as it has to. */
  function countOf(stats: ReadonlyMap<string, number>, name: string): number {
    const other = name.startsWith('eval')
      ? name.startsWith('evalsha')
        ? name.replace('sha', '')
        : name.replace('eval', 'evalsha')
      : '';
    return (stats.get(name) ?? 0) + (stats.get(other) ?? 0);
  }

  it('of one session go to one replica, of many to all', async () => {
    const { replicas } = await roles();
    const used = new Set<number>();
    for (const each of clients) {
      await resetStats(replicas);
      await each.pipeline(Array.from({ length: 20 }, () => ['GET', 'k']));
      const counts = (await Promise.all(replicas.map(callsAt))).map((stats) => stats.get('get') ?? 0);
      assert.deepEqual([...counts].sort(), [0, 20]);
      used.add(counts.indexOf(20));
    }
    assert.equal(used.size, 2);
  });

  it('C5: never NOSCRIPT, whatever a replica has forgotten', async () => {
    const { replicas } = await roles();
    await setEverywhere('k', 'v');
    const body = `${READ} -- forgotten`;
    const sha = (await client.text('SCRIPT', 'LOAD', body)).split('\r\n')[1] ?? '';
    for (let round = 0; round < 3; round++) {
      for (const node of replicas) await node.client().script('FLUSH');
      for (const each of clients) {
        for (const form of ['EVALSHA', 'EVALSHA_RO']) {
          assert.equal(await each.text(form, sha, '1', 'k'), '$1\r\nv\r\n');
        }
      }
    }
    assert.ok(gateway.proxy.counters.noscriptHealed > 0, 'no NOSCRIPT was met: the test proved nothing');
  });

  it('WAIT asks where the session wrote, also after a script that went to a replica', async () => {
    await client.command('SET', 'k', 'v');
    await client.command('EVAL', READ, '1', 'k');
    assert.match(await client.text('WAIT', '1', '1000'), /^:[12]\r\n$/);
  });

  it('between WATCH and EXEC, or UNWATCH, nothing is read from replicas', async () => {
    await setEverywhere('k', 'v');
    const { counters } = gateway.proxy;
    const before = counters.replicaReads;
    const reads = [
      ['GET', 'k'],
      ['MGET', 'k', 'none'],
      ['EVAL_RO', READ, '1', 'k'],
    ];
    await client.pipeline([['WATCH', 'k'], ...reads, ['MULTI'], ...reads.slice(0, 1), ['EXEC']]);
    await client.pipeline([['WATCH', 'k'], ...reads]);
    assert.equal(counters.replicaReads, before);
    await client.pipeline([['UNWATCH'], ...reads]);
    assert.equal(counters.replicaReads, before + 4);
  });

  it('a script that is not proven goes to the primary', async () => {
    const proxy = await startProxy(gateway.cluster, {
      cluster: { read_from: 'replica' },
      scripting: { script_check_enable: 0, readonly_lua_route_ronode_enable: 1 },
    });
    const other = await RawClient.connect(proxy.address.port);
    await untilReplicaAnswers(proxy, other);
    const before = proxy.counters.replicaReads;
    assert.equal(await other.text('EVAL', UNPROVEN, '1', 'n2', 'incr'), ':1\r\n');
    assert.equal(await other.text('EVAL', `${READ} -- checks are off`, '1', 'nothing'), '$-1\r\n');
    assert.equal(proxy.counters.replicaReads, before);
    other.close();
    await proxy.stop();
  });

  it('a replica that is killed costs no error, and is read from again when it is back', async () => {
    const { replicas } = await roles();
    await setEverywhere('k', 'v');
    const [victim] = replicas;
    assert.ok(victim);
    const read = () =>
      Promise.all(
        clients.map((each) =>
          each.pipeline([...Array.from({ length: 200 }, () => ['GET', 'k']), ['EVAL', READ, '1', 'k']]),
        ),
      );
    const during = [read(), gateway.cluster.stopNode(victim, 'SIGKILL')] as const;
    const replies = [...(await during[0]), ...(await read())];
    await during[1];
    assert.ok(replies.flat().every((reply) => String(reply) === '$1\r\nv\r\n'));
    await gateway.cluster.restartNode(victim);
    await waitUntilInSync();
    await resetStats([victim]);
    await waitFor('the replica is read from again', async () => {
      await read();
      return ((await callsAt(victim)).get('get') ?? 0) > 0;
    });
  });

  it('a replica that freezes holds up reads for a second or two, and costs no error', async () => {
    const { replicas } = await roles();
    await setEverywhere('k', 'v');
    const [victim] = replicas;
    assert.ok(victim);
    freeze(victim);
    try {
      const startMs = Date.now();
      const replies = await Promise.all(clients.map((each) => each.text('GET', 'k')));
      assert.deepEqual([...new Set(replies)], ['$1\r\nv\r\n']);
      assert.ok(Date.now() - startMs < 4000, `${Date.now() - startMs} ms`);
      assert.ok(gateway.proxy.counters.replicaFallbacks > 0);
    } finally {
      thaw(victim);
    }
  });

  it('a replica that lost its master is not read from, though it would answer', async () => {
    const { master, replicas } = await roles();
    await setEverywhere('k', 'old');
    await master.client().call('ACL', 'SETUSER', 'default', '-psync', '-sync');
    try {
      await master.client().call('CLIENT', 'KILL', 'TYPE', 'replica');
      assert.equal(await client.text('SET', 'k', 'new'), '+OK\r\n');
      await waitFor('it is noticed', () => replicas.every((node) => !factsOf(gateway.proxy, node).isInSync));
      for (const each of clients) assert.equal(await each.text('GET', 'k'), '$3\r\nnew\r\n');
      // One that refuses instead of serving old data: also before anybody noticed.
      for (const node of replicas) {
        await node.client().config('SET', 'replica-serve-stale-data', 'no');
        await assert.rejects(node.client().get('k'), /MASTERDOWN|MOVED/);
      }
      const before = gateway.proxy.counters.replicaFallbacks;
      for (const form of [
        ['GET', 'k'],
        ['EVAL', READ, '1', 'k'],
      ]) {
        for (const node of replicas) factsOf(gateway.proxy, node).isInSync = true;
        assert.equal(await client.text(...form), '$3\r\nnew\r\n');
      }
      assert.ok(gateway.proxy.counters.replicaFallbacks > before, 'no replica refused: the test proved nothing');
    } finally {
      await master.client().call('ACL', 'SETUSER', 'default', '+psync', '+sync');
      for (const node of replicas) await node.client().config('SET', 'replica-serve-stale-data', 'yes');
    }
    await waitUntilInSync();
    await waitFor('the replicas have caught up', async () => (await client.text('GET', 'k')) === '$3\r\nnew\r\n');
  });

  it('a replica that loads its data is passed over', async () => {
    const { master, replicas } = await roles();
    const value = 'x'.repeat(4096);
    await client.pipeline(Array.from({ length: 400 }, (_, i) => ['SET', `big:${i}`, value]));
    for (const node of replicas) {
      await node.client().config('SET', 'key-load-delay', '5000');
      await node.client().config('SET', 'loading-process-events-interval-bytes', '2048');
    }
    await master.client().call('DEBUG', 'CHANGE-REPL-ID');
    await master.client().call('CLIENT', 'KILL', 'TYPE', 'replica');
    const [loading] = replicas;
    assert.ok(loading);
    await waitFor('it loads', async () => (await loading.client().info('persistence')).includes('\nloading:1'));
    const known = [...gateway.proxy.topology.nodes.values()].find(({ address }) => address === loading.address);
    const before = gateway.proxy.counters.replicaFallbacks;
    for (let i = 0; i < 20; i++) {
      // As if nobody had noticed.
      if (known !== undefined) gateway.proxy.upstream.factsOf(known).isInSync = true;
      for (const each of clients) assert.equal((await each.text('GET', `big:${i}`)).length, 4096 + 9);
    }
    // A replica that has no data at all yet is not even part of the topology.
    const isListed = [...gateway.proxy.topology.nodes.values()].some(({ address }) => address === loading.address);
    assert.ok(gateway.proxy.counters.replicaFallbacks > before || !isListed, 'the test proved nothing');
    for (const node of replicas) await node.client().config('SET', 'key-load-delay', '0');
  });

  it('SCRIPT KILL reaches a replica that runs a script, and reads go elsewhere meanwhile', async () => {
    const [spinner, killer, ...readers] = clients;
    assert.ok(spinner && killer);
    const spinning = spinner.text('EVAL_RO', SPIN, '1', 'k');
    const { replicas } = await roles();
    await waitFor('the replica is busy', async () => {
      const pings = await Promise.allSettled(replicas.map((node) => node.client().ping()));
      return pings.some((ping) => ping.status === 'rejected' && String(ping.reason).includes('BUSY'));
    });
    await waitFor('reads go elsewhere', async () => {
      const replies = await Promise.all(readers.map((each) => each.text('GET', 'warm')));
      return replies.every((reply) => reply === '$-1\r\n');
    });
    assert.equal(await killer.text('SCRIPT', 'KILL'), '+OK\r\n');
    assert.match(await spinning, /^-ERR .*(?:killed by user|Error running script)/i);
  });

  it('with prefer_replica reads do not wait behind a script', async () => {
    const proxy = await startProxy(gateway.cluster, { cluster: { read_from: 'prefer_replica' } });
    const others = await Promise.all(Array.from({ length: 4 }, () => RawClient.connect(proxy.address.port)));
    for (const each of others) await untilReplicaAnswers(proxy, each);
    const nodes = (await roles()).replicas;
    for (const node of nodes) await node.client().config('SET', 'lua-time-limit', '5000');
    try {
      let isOver = false;
      const script = `${SPIN_LUA} spin(tonumber(ARGV[1])) return 'done'`;
      const slow = (others[0] as RawClient).text('EVAL_RO', script, '1', 'k', '2000').then((reply) => {
        isOver = true;
        return reply;
      });
      await waitFor('it runs', async () => {
        const busy = [...proxy.upstream.pools].flatMap((pool) => pool.connections.map(({ head }) => head));
        return busy.some((head) => head?.call !== undefined && performance.now() - head.sinceMs > 50);
      });
      for (let i = 0; i < 10; i++) for (const each of others.slice(1)) await each.text('GET', 'k');
      assert.ok(!isOver, 'reads waited for the script');
      assert.equal(await slow, '$4\r\ndone\r\n');
    } finally {
      for (const node of nodes) await node.client().config('SET', 'lua-time-limit', '100');
      for (const each of others) each.close();
      await proxy.stop();
    }
  });

  it('a replica is promoted while it is read from: no error, and its old master is read from afterwards', async () => {
    const { master, replicas } = await roles();
    await setEverywhere('k', 'v');
    const [heir] = replicas;
    assert.ok(heir);
    let isOver = false;
    const reading = clients.map(async (each) => {
      const replies = new Set<string>();
      while (!isOver) {
        const round = await each.pipeline([
          ['GET', 'k'],
          ['EVAL', READ, '1', 'k'],
          ['SET', 'k', 'v'],
        ]);
        for (const reply of round) replies.add(String(reply));
      }
      return replies;
    });
    await failOver(gateway.cluster, heir);
    await waitUntilInSync();
    await waitFor('the old master is read from', async () => {
      await resetStats([master]);
      await Promise.all(Array.from({ length: 2 }, () => new Promise((resolve) => setImmediate(resolve))));
      return ((await callsAt(master)).get('get') ?? 0) > 0;
    });
    isOver = true;
    for (const replies of await Promise.all(reading)) assert.deepEqual([...replies].sort(), ['$1\r\nv\r\n', '+OK\r\n']);
  });
});
