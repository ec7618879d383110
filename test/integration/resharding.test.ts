/**
 * Slots move between masters while clients count on keys inside them: no error, every increment once.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RawClient } from '../support/client.ts';
import { moveSlots, slotOfKey, tagInSlot } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { Load, sum } from '../support/load.ts';

const SLOTS = [3, 4, 5, 6, 7];

describe('resharding under load', () => {
  let gateway: Gateway;

  before(async () => {
    gateway = await Gateway.start({ replicas: 0 });
  });
  after(() => gateway.stop());

  it('C3, C4: every increment on keys in moving slots is acknowledged and counted once', async () => {
    const { cluster, port } = gateway;
    const keys = SLOTS.flatMap((slot) => Array.from({ length: 20 }, (_, i) => `${tagInSlot(slot)}:${i}`));
    assert.ok(keys.every((key) => SLOTS.includes(slotOfKey(key))));
    const [from, to] = cluster.masters;
    assert.ok(from && to);
    const load = await Load.start({ port, keys });
    await moveSlots(cluster, SLOTS, { from, to });
    await moveSlots(cluster, SLOTS, { from: to, to: from });
    const books = await load.stop();
    assert.deepEqual([...books.errors], []);
    const client = await RawClient.connect(port);
    const replies = await client.pipeline(keys.map((key) => ['GET', key]));
    client.close();
    replies.forEach((reply, i) => {
      const counted = Number(reply.toString().split('\r\n')[1]);
      assert.equal(counted, books.acknowledged.get(keys[i] ?? '') ?? 0, keys[i]);
    });
    assert.ok(sum(books.acknowledged) > 1000, `only ${sum(books.acknowledged)} increments`);
    const { redirects, forgedReplies } = gateway.proxy.counters;
    assert.ok(redirects > 0, 'no redirect was met: the test proved nothing');
    assert.equal(forgedReplies, 0);
    assert.equal(gateway.proxy.counters.waiting, 0);
  });
});
