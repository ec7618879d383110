/**
 * Servers that evict scripts, and such as refuse to load any: no client ever hears of it (C5).
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { configFrom } from '../../src/control/config.ts';
import { createLogger } from '../../src/control/log.ts';
import { ProxyServer } from '../../src/control/proxy.ts';
import { RawClient } from '../support/client.ts';
import { tagInSlot } from '../support/cluster.ts';
import { EvictingNode, type EvictingOptions } from '../support/evicting-node.ts';
import { bulk, error, shaOf } from '../support/stand.ts';

const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
const KEY = `${tagInSlot(1)}k`;

interface Setup {
  readonly nodes: EvictingNode[];
  readonly node: EvictingNode;
  readonly client: RawClient;
  readonly proxy: ProxyServer;
}

async function setUp(t: TestContext, count: number, options: EvictingOptions = {}): Promise<Setup> {
  const nodes = await EvictingNode.startCluster(count, options);
  const config = configFrom({
    listen: { port: 0 },
    cluster: { nodes: nodes.map(({ address }) => address) },
    log: { level: 'error' },
  });
  const proxy = await ProxyServer.start(config, createLogger(config.log));
  const client = await RawClient.connect(proxy.address.port);
  t.after(async () => {
    client.close();
    await proxy.stop();
    for (const node of nodes) await node.stop();
  });
  const [node] = nodes;
  assert.ok(node);
  return { nodes, node, client, proxy };
}

function bodies(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `return ${i}`);
}

describe('C5: servers that evict', () => {
  it('600 scripts of EVAL in rotation, by EVAL and by EVALSHA: each call runs, once', async (t) => {
    const { node, client, proxy } = await setUp(t, 1);
    const rotation = bodies(600);
    for (let round = 1; round <= 4; round++) {
      const calls = rotation.map((body) =>
        round % 2 === 1 ? ['EVAL', body, 1, KEY] : ['EVALSHA', shaOf(body), 1, KEY],
      );
      const replies = await client.pipeline(calls);
      assert.deepEqual(new Set(replies.map(String)), new Set([`:${round}\r\n`]), `round ${round}`);
    }
    assert.ok(node.evictedCount > 1000, `only ${node.evictedCount} were evicted: the test does not test anything`);
    assert.equal(node.noscriptCount, 0, 'foreseen, not healed');
    assert.equal(proxy.counters.noscriptHealed, 0);
  });

  it('the 100 that are used most go up by their sha all the same', async (t) => {
    const { node, client } = await setUp(t, 1);
    for (let round = 0; round < 3; round++) {
      await client.pipeline(bodies(100).map((body) => ['EVAL', body, 1, KEY]));
    }
    const forms = node.calls.filter((call) => call.startsWith('EVAL ')).length;
    assert.equal(forms, 100, 'with the body only the first time');
    assert.equal(node.calls.length, 300);
  });

  it('what came by SCRIPT LOAD is loaded before its first EVAL, so that it stays', async (t) => {
    const { node, nodes, client } = await setUp(t, 2);
    const kept = 'return "kept"';
    assert.equal(await client.text('SCRIPT', 'LOAD', kept), bulk(shaOf(kept)));
    assert.deepEqual(
      nodes.map((each) => each.callsOf(shaOf(kept))),
      [['SCRIPT LOAD'], ['SCRIPT LOAD']],
    );
    for (const _ of [1, 2, 3]) await client.command('EVALSHA', shaOf(kept), 1, KEY);
    await client.pipeline(bodies(700).map((body) => ['EVAL', body, 1, KEY]));
    assert.equal(await client.text('EVALSHA', shaOf(kept), 1, KEY), ':4\r\n');
    assert.deepEqual(node.callsOf(shaOf(kept)), [
      'SCRIPT LOAD',
      'SCRIPT LOAD',
      'EVAL',
      'EVALSHA',
      'EVALSHA',
      'EVALSHA',
    ]);
    assert.ok(node.holds(shaOf(kept)));
    assert.equal(node.noscriptCount, 0);
  });
});

describe('C5: servers without room for SCRIPT LOAD', () => {
  it('a script that is known runs: EVAL does not need the SCRIPT LOAD before it', async (t) => {
    const { node, client } = await setUp(t, 1);
    const body = 'return "known"';
    await client.command('SCRIPT', 'LOAD', body);
    node.loadRefusal = OOM;
    for (const run of [1, 2, 3]) assert.equal(await client.text('EVALSHA', shaOf(body), 1, KEY), `:${run}\r\n`);
    assert.deepEqual(node.callsOf(shaOf(body)).slice(1), ['SCRIPT LOAD', 'EVAL', 'EVALSHA', 'EVALSHA']);
  });

  it('and evicted there it runs again, healed', async (t) => {
    const { node, client, proxy } = await setUp(t, 1);
    const body = 'return "known"';
    await client.command('SCRIPT', 'LOAD', body);
    node.loadRefusal = OOM;
    assert.equal(await client.text('EVALSHA', shaOf(body), 1, KEY), ':1\r\n');
    node.forget(shaOf(body));
    assert.equal(await client.text('EVALSHA', shaOf(body), 1, KEY), ':2\r\n');
    assert.equal(proxy.counters.noscriptHealed, 1);
  });

  it('SCRIPT LOAD of a client: the refusal when all masters refuse, and the sha is not known', async (t) => {
    const { nodes, client } = await setUp(t, 3, { loadRefusal: OOM });
    const body = 'return "new"';
    assert.equal(await client.text('SCRIPT', 'LOAD', body), error(OOM));
    assert.match(await client.text('EVALSHA', shaOf(body), 1, KEY), /^-NOSCRIPT /);
    assert.equal(await client.text('EVAL', body, 1, KEY), ':1\r\n');
    for (const node of nodes) assert.ok(node.callsOf(shaOf(body)).includes('SCRIPT LOAD'));
  });

  it('SCRIPT LOAD of a client: the sha when one master took it, and it runs on the others too', async (t) => {
    const { nodes, client } = await setUp(t, 3, { loadRefusal: OOM });
    const [, , last] = nodes;
    assert.ok(last);
    last.loadRefusal = undefined;
    const body = 'return "new"';
    assert.equal(await client.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
    for (const slot of [1, 6000, 12_000]) {
      assert.equal(await client.text('EVALSHA', shaOf(body), 1, tagInSlot(slot)), ':1\r\n');
    }
  });
});
