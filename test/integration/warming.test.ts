/**
 * Scripts of LOAD origin come to nodes before anybody calls them there: to replicas, to nodes that joined or were
 * restarted; not while a node is busy, and not when they were flushed meanwhile.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import { RawClient } from '../support/client.ts';
import { moveSlots, tagInSlot, waitFor, waitUntilAgreed } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { bulk, shaOf } from '../support/stand.ts';

const FLOOD = 3000;

describe('warming', () => {
  let gateway: Gateway;
  let client: RawClient;
  let nextBody = 0;

  before(async () => {
    const config = { 'lua-time-limit': '50' };
    gateway = await Gateway.start({ replicas: 1, nodeTimeoutMs: 30_000, config });
    client = await RawClient.connect(gateway.port);
    await waitFor('the proxy knows the replicas', async () => {
      await gateway.proxy.refresh(undefined);
      return gateway.proxy.topology.nodes.size === 6;
    });
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });
  beforeEach(async () => {
    assert.equal(await client.text('SCRIPT', 'FLUSH'), '+OK\r\n');
  });

  function newBodies(count: number): string[] {
    return Array.from({ length: count }, () => `return ${nextBody++}`);
  }

  async function load(bodies: readonly string[]): Promise<string[]> {
    const replies = await client.pipeline(bodies.map((body) => ['SCRIPT', 'LOAD', body]));
    const shas = bodies.map(shaOf);
    assert.deepEqual(replies.map(String), shas.map(bulk));
    return shas;
  }

  async function countAt(node: LocalNode, shas: readonly string[]): Promise<number> {
    const held = (await node.client().script('EXISTS', ...shas)) as number[];
    return held.filter((one) => one === 1).length;
  }

  async function cachedAt(node: LocalNode): Promise<number> {
    const info = await node.client().info('memory');
    return Number(/number_of_cached_scripts:(\d+)/.exec(info)?.[1]);
  }

  async function waitUntilAt(nodes: readonly LocalNode[], shas: readonly string[]): Promise<void> {
    for (const node of nodes) {
      await waitFor(`${node.address} has all scripts`, async () => (await countAt(node, shas)) === shas.length);
    }
  }

  it('replicas get what was loaded, without a call', async () => {
    await waitUntilAt(gateway.cluster.replicas, await load(newBodies(5)));
  });

  it('a flood of SCRIPT LOAD reaches them too, though more came than the queue takes', async () => {
    await waitUntilAt(gateway.cluster.nodes, await load(newBodies(FLOOD)));
  });

  it('SCRIPT FLUSH in the middle of it: nothing that was flushed comes back', async () => {
    const shas = await load(newBodies(FLOOD));
    const [flushed, ...after] = await client.pipeline([
      ['SCRIPT', 'FLUSH'],
      ['SCRIPT', 'LOAD', 'return "after"'],
    ]);
    assert.equal(String(flushed), '+OK\r\n');
    assert.deepEqual(after.map(String), [bulk(shaOf('return "after"'))]);
    await waitUntilAt(gateway.cluster.nodes, [shaOf('return "after"')]);
    for (const node of gateway.cluster.nodes) {
      assert.equal(await countAt(node, shas), 0, node.address);
      assert.equal(await cachedAt(node), 1, node.address);
    }
  });

  it('what came by EVAL is not spread', async () => {
    const [body = ''] = newBodies(1);
    await client.command('EVAL', body, 1, 'k');
    await waitUntilAt(gateway.cluster.nodes, await load(newBodies(1)));
    const counts = await Promise.all(gateway.cluster.nodes.map((node) => countAt(node, [shaOf(body)])));
    assert.equal(counts.filter((count) => count === 1).length, 1);
  });

  it('a replica and a master that were restarted get all of them, without a call', async () => {
    const shas = await load(newBodies(250));
    await waitUntilAt(gateway.cluster.nodes, shas);
    const [master] = gateway.cluster.masters;
    const replica = gateway.cluster.replicas[1];
    assert.ok(master && replica);
    for (const node of [replica, master]) {
      await gateway.cluster.stopNode(node, 'SIGKILL');
      await gateway.cluster.restartNode(node);
      await waitUntilAt([node], shas);
    }
    await waitUntilAgreed(gateway.cluster);
  });

  it('a busy replica is left alone until it is free', async () => {
    const [replica] = gateway.cluster.replicas;
    assert.ok(replica);
    const runner = await RawClient.connect(replica.port);
    const ran = runner.command('EVAL', 'while true do end', 0);
    await waitFor('it is busy', async () => String(await replica.client().ping().catch(String)).includes('BUSY'));
    const shas = await load(newBodies(20));
    await waitUntilAt(gateway.cluster.masters, shas);
    assert.match(String(await replica.client().ping().catch(String)), /BUSY/);
    await replica.client().script('KILL');
    assert.match(String(await ran), /killed by user/);
    runner.close();
    await waitUntilAt([replica], shas);
  });

  // The last one: it changes the cluster.
  it('a master that joins gets all of them', async () => {
    const shas = await load(newBodies(250));
    const node = await gateway.cluster.addNode();
    const [from] = gateway.cluster.masters;
    assert.ok(from);
    await moveSlots(gateway.cluster, [7], { from, to: node });
    // A MOVED tells the proxy of it.
    await client.command('SET', `${tagInSlot(7)}k`, 'v');
    await waitUntilAt([node], shas);
  });
});
