/**
 * Subscriptions outlive lost connections, moving slots, failovers and new masters: the client sees nothing of it but
 * that what was published meanwhile is missing.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import {
  failOver,
  freeze,
  isMaster,
  moveSlots,
  ownerOf,
  slotOfKey,
  tagInSlot,
  thaw,
  waitFor,
  waitUntilAgreed,
  waitUntilReplaced,
} from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { Subscriber, subscriberCount } from '../support/subscriber.ts';

const TAGS = [100, 6000, 12_000].map(tagInSlot);

describe('subscriptions', () => {
  let gateway: Gateway;
  let publisher: Subscriber;
  let probes = 0;
  const opened: Subscriber[] = [];

  before(async () => {
    gateway = await Gateway.start({ replicas: 1, nodeTimeoutMs: 2000, config: { 'notify-keyspace-events': 'KEA' } });
    publisher = await Subscriber.connect(gateway.port);
  });
  after(async () => {
    publisher.close();
    await gateway.stop();
  });
  afterEach(() => {
    for (const subscriber of opened.splice(0)) subscriber.close();
  });

  async function connect(): Promise<Subscriber> {
    const subscriber = await Subscriber.connect(gateway.port);
    opened.push(subscriber);
    return subscriber;
  }

  /** A subscriber with one of each kind: a channel, every event of every master, a sharded channel in each third. */
  async function subscribed(): Promise<Subscriber> {
    const subscriber = await connect();
    await subscriber.ask([
      'SUBSCRIBE news',
      'PSUBSCRIBE __keyevent@0__:set',
      ...TAGS.map((tag) => `SSUBSCRIBE ${tag}`),
    ]);
    return subscriber;
  }

  /**
   * Publishes on everything until all of it arrives, then once more: that must arrive once, and nothing else may have
   * come but messages of the earlier rounds, each once.
   */
  async function assertWhole(subscriber: Subscriber): Promise<void> {
    const seen = new Map<string, number>();
    const take = async () => {
      while (subscriber.client.unreadCount > 0) {
        const [frame = ''] = await subscriber.frames(1);
        seen.set(frame, (seen.get(frame) ?? 0) + 1);
      }
    };
    const probe = async (): Promise<string[]> => {
      const id = `probe${++probes}`;
      const keys = TAGS.map((tag) => `${tag}${id}`);
      const replies = await publisher.ask([
        `PUBLISH news ${id}`,
        ...TAGS.map((tag) => `SPUBLISH ${tag} ${id}`),
        ...keys.map((key) => `SET ${key} x`),
      ]);
      assert.ok(!replies.some((reply) => reply.startsWith('-')), replies.join(' '));
      return [
        `[message news ${id}]`,
        ...TAGS.map((tag) => `[smessage ${tag} ${id}]`),
        ...keys.map((key) => `[pmessage __keyevent@0__:set __keyevent@0__:set ${key}]`),
      ];
    };
    await waitFor('every subscription is there', async () => {
      const expected = await probe();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await take();
      return expected.every((frame) => seen.has(frame));
    });
    for (let round = 0; round < 2; round++) {
      const last = await probe();
      await waitFor('the last messages come', async () => {
        await take();
        return last.every((frame) => seen.has(frame));
      });
    }
    for (const [frame, count] of seen) {
      assert.equal(count, 1, frame);
      assert.match(frame, /^\[(s|p)?message .*probe\d+\]$/, 'something else than a message came');
    }
  }

  it('come back after lost connections, again and again', async () => {
    const subscribers = [await subscribed(), await subscribed()];
    for (let round = 0; round < 3; round++) {
      for (const node of gateway.cluster.nodes) await node.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      for (const subscriber of subscribers) await assertWhole(subscriber);
    }
    assert.ok(gateway.proxy.counters.feedsLost >= 18);
    for (const subscriber of subscribers) {
      subscriber.client.send('UNSUBSCRIBE\r\nPUNSUBSCRIBE\r\nSUNSUBSCRIBE\r\nPING\r\n');
      const ends = (await subscriber.until('+PONG')).filter((frame) => !frame.includes('message'));
      assert.deepEqual(ends.slice(0, 2), ['[unsubscribe news :1]', '[punsubscribe __keyevent@0__:set :0]']);
      assert.equal(ends.length, 5);
    }
    await waitFor('no connection is left', async () => (await subscriberCount(gateway.cluster)) === 0);
  });

  it('follow a sharded channel when its slot moves, there and back', async () => {
    const subscriber = await subscribed();
    const slot = slotOfKey(TAGS[0] ?? '');
    const from = await ownerOf(gateway.cluster, slot);
    const to = gateway.cluster.masters.find((node) => node !== from) as LocalNode;
    await moveSlots(gateway.cluster, [slot], { from, to });
    await assertWhole(subscriber);
    // Asked for while evalgate may not know the new owner.
    await moveSlots(gateway.cluster, [slot], { from: to, to: from });
    const late = await connect();
    assert.deepEqual(await late.ask([`SSUBSCRIBE ${TAGS[0]}late`]), [`[ssubscribe ${TAGS[0]}late :1]`]);
    await assertWhole(subscriber);
    assert.deepEqual((await subscriber.ask([`SUNSUBSCRIBE ${TAGS[0]}`])).at(-1), `[sunsubscribe ${TAGS[0]} :2]`);
    await publisher.ask([`SPUBLISH ${TAGS[0]}late x`]);
    assert.deepEqual(await late.frames(1), [`[smessage ${TAGS[0]}late x]`]);
  });

  it('outlive manual failovers of every shard', async () => {
    const subscribers = [await subscribed(), await subscribed(), await subscribed()];
    for (const shard of [0, 1, 2]) {
      const replica = await replicaOf(shard);
      await failOver(gateway.cluster, replica);
      for (const subscriber of subscribers) await assertWhole(subscriber);
    }
  });

  it('outlive a master that dies, also when it is asked for meanwhile', async () => {
    const subscribers = [await subscribed(), await subscribed(), await subscribed()];
    const master = await ownerOf(gateway.cluster, slotOfKey(TAGS[1] ?? ''));
    await gateway.cluster.stopNode(master, 'SIGKILL');
    const late = await connect();
    const begun = late.ask(['PSUBSCRIBE __keyevent@0__:del', `SSUBSCRIBE ${TAGS[1]}late`]);
    await waitUntilReplaced(gateway.cluster, master);
    assert.deepEqual(await begun, ['[psubscribe __keyevent@0__:del :1]', `[ssubscribe ${TAGS[1]}late :1]`]);
    for (const subscriber of subscribers) await assertWhole(subscriber);
    await gateway.cluster.restartNode(master);
    for (const subscriber of subscribers) await assertWhole(subscriber);
  });

  it('leave a master that is frozen, and nothing comes twice when it wakes', async () => {
    const subscribers = [await subscribed(), await subscribed(), await subscribed()];
    const master = await ownerOf(gateway.cluster, slotOfKey(TAGS[0] ?? ''));
    await waitFor('its replica is in sync', async () => {
      return (await master.client().info('replication')).includes('state=online');
    });
    freeze(master);
    try {
      await waitUntilReplaced(gateway.cluster, master);
      for (const subscriber of subscribers) await assertWhole(subscriber);
    } finally {
      thaw(master);
    }
    await waitFor('the thawed node is a replica', async () => !(await isMaster(master)));
    for (const subscriber of subscribers) await assertWhole(subscriber);
  });

  it('reach a new master', async () => {
    const subscriber = await subscribed();
    const node = await gateway.cluster.addNode();
    await node.client().call('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
    await waitUntilAgreed(gateway.cluster);
    const slot = slotOfKey(TAGS[2] ?? '');
    const from = await ownerOf(gateway.cluster, slot, [node]);
    await moveSlots(gateway.cluster, [slot], { from, to: node });
    await assertWhole(subscriber);
    const lists = String(await node.client().call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
    assert.equal(lists.split('\n').filter(Boolean).length, 1);
  });

  async function replicaOf(shard: number): Promise<LocalNode> {
    for (const node of gateway.cluster.nodes.filter(({ shardIndex }) => shardIndex === shard)) {
      const [role] = (await node.client().call('ROLE')) as [string];
      if (role === 'slave') return node;
    }
    throw new Error(`shard ${shard} has no replica`);
  }
});
