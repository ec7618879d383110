/**
 * One shard has no primary and gets none: what belongs to it ends with an honest error after one wait, everything else
 * goes on.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import { RawClient } from '../support/client.ts';
import { ownerOf, slotOfKey, tagInSlot, waitFor } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

const DEAD_KEY = 'key:0';
const DEAD_SLOT = slotOfKey(DEAD_KEY);
/** In the shard a third of all slots further on. */
const LIVE_KEY = tagInSlot((DEAD_SLOT + 5461) % 16384);
const WAIT_MS = 1000;

describe('a shard without a primary', () => {
  let gateway: Gateway;
  let dead: LocalNode;
  let client: RawClient;

  before(async () => {
    gateway = await Gateway.start(
      { masters: 3, replicas: 0, nodeTimeoutMs: 15_000 },
      { cluster: { failover_wait_ms: WAIT_MS } },
    );
    client = await RawClient.connect(gateway.port);
    assert.equal(await client.text('SET', DEAD_KEY, 'v'), '+OK\r\n');
    dead = await ownerOf(gateway.cluster, DEAD_SLOT);
    await gateway.cluster.stopNode(dead, 'SIGKILL');
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });

  it('thousands of requests that wait for it give up together, each with its own error, and those behind run', async () => {
    // Were the waits counted one after the other, this would take an hour.
    const count = 4000;
    const sets = Array.from({ length: count }, () => ['SET', DEAD_KEY, 'w']);
    const replies = await client.pipeline([...sets, ['SET', LIVE_KEY, 'v']]);
    const text = `-CLUSTERDOWN evalgate: no primary for slot ${DEAD_SLOT} within ${WAIT_MS} ms, the command did not run\r\n`;
    assert.deepEqual([...new Set(replies.slice(0, count).map(String))], [text]);
    assert.equal(String(replies[count]), '+OK\r\n');
    assert.equal(gateway.proxy.counters.waiting, 0);
    await waitFor('nothing is buffered', () => gateway.proxy.counters.bufferedBytes === 0);
  });

  it('a broadcast that it had no part in says so, and that other nodes may have run it', async () => {
    const reply = await client.text('CONFIG', 'SET', 'slowlog-max-len', '77');
    assert.match(reply, new RegExp(`^-ERR evalgate: .*${dead.address}.*, other parts may have run\r\n$`));
    const live = await ownerOf(gateway.cluster, slotOfKey(LIVE_KEY));
    assert.deepEqual(await live.client().config('GET', 'slowlog-max-len'), ['slowlog-max-len', '77']);
  });

  it('a sum over all shards is an error that names the node, not a smaller sum', async () => {
    const reply = await client.text('DBSIZE');
    assert.match(reply, new RegExp(`^-ERR evalgate: .*${dead.address}`));
  });
});
