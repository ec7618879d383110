/**
 * Slots move while they are read from replicas, which do not know where keys have gone.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawClient } from '../support/client.ts';
import { beginSlotMove, endSlotMove, moveKeys, tagInSlot, waitFor } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

const SLOT = 77;
const KEY_COUNT = 200;

describe('resharding under reads from replicas', () => {
  let gateway: Gateway;

  before(async () => {
    gateway = await Gateway.start(
      { masters: 2, replicas: 1 },
      { cluster: { read_from: 'replica', refresh_interval_ms: 1000 } },
    );
  });
  after(() => gateway.stop());

  it('a key that exists is never said to be missing, once the move was seen', async () => {
    const { cluster, port, proxy } = gateway;
    const [from, to] = cluster.masters;
    assert.ok(from && to);
    const move = { slot: SLOT, from, to };
    const keys = Array.from({ length: KEY_COUNT }, (_, i) => `${tagInSlot(SLOT)}:${i}`);
    const client = await RawClient.connect(port);
    await client.pipeline(keys.map((key) => ['SET', key, 'v']));
    await waitFor('all is replicated', async () => (await client.text('WAIT', '1', '1000')) === ':1\r\n');
    await waitFor('replicas are read from', async () => {
      const before = proxy.counters.replicaReads;
      await client.pipeline(keys.map((key) => ['GET', key]));
      return proxy.counters.replicaReads === before + KEY_COUNT;
    });
    let isOver = false;
    const replies = new Map<string, number>();
    const reading = (async () => {
      while (!isOver) {
        for (const reply of await client.pipeline(keys.map((key) => ['GET', key]))) {
          replies.set(String(reply), (replies.get(String(reply)) ?? 0) + 1);
        }
      }
    })();
    const isSeen = () => proxy.movingSlots.has(SLOT, proxy.turn.now());
    await beginSlotMove(move);
    await waitFor('the move is seen', isSeen);
    while ((await moveKeys(move, 20)) > 0) {
      const readBefore = replies.get('$1\r\nv\r\n') ?? 0;
      await waitFor('all keys were read', () => (replies.get('$1\r\nv\r\n') ?? 0) > readBefore + KEY_COUNT);
    }
    await endSlotMove(move, cluster);
    await waitFor('the slot has moved', () => !isSeen());
    await waitFor('the new replica is read from', async () => {
      const replica = proxy.topology.bySlot[SLOT]?.replicas[0];
      const node = cluster.nodes.find(({ address }) => address === replica?.address);
      assert.notEqual(proxy.topology.bySlot[SLOT]?.primary.address, from.address);
      return /^cmdstat_get:calls=[1-9]/m.test(await (node?.client().info('commandstats') ?? ''));
    });
    isOver = true;
    await reading;
    client.close();
    assert.deepEqual([...replies.keys()], ['$1\r\nv\r\n']);
  });
});
