/**
 * Pub/sub in RESP3, where messages are pushes and everything else may be sent at the same time; and under the ACL of
 * the cluster.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { slotOfKey, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { Subscriber, subscriberCount } from '../support/subscriber.ts';
import { NO_PERMISSION_FOR } from '../support/versions.ts';

describe('pub/sub in RESP3', () => {
  let gateway: Gateway;
  let publisher: Subscriber;
  const opened: Subscriber[] = [];

  before(async () => {
    gateway = await Gateway.start({ replicas: 0, nodeTimeoutMs: 15_000, config: { 'notify-keyspace-events': 'KEA' } });
    publisher = await Subscriber.connect(gateway.port);
  });
  after(async () => {
    publisher.close();
    await gateway.stop();
  });
  afterEach(async () => {
    for (const subscriber of opened.splice(0)) subscriber.close();
    await waitFor('all others are gone', () => gateway.proxy.clients.size === 1);
    await waitFor('no subscriber is left', async () => (await subscriberCount(gateway.cluster)) === 0);
  });

  async function connect(port = gateway.port): Promise<Subscriber> {
    const subscriber = await Subscriber.connect(port);
    opened.push(subscriber);
    await subscriber.ask(['HELLO 3']);
    return subscriber;
  }

  const transcripts: [name: string, commands: string[], frameCount: number][] = [
    ['confirmations are pushes', ['SUBSCRIBE a a b', 'PSUBSCRIBE p', 'UNSUBSCRIBE a'], 5],
    ['ends of what never began', ['UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE', 'UNSUBSCRIBE x'], 4],
    [
      'other commands pass',
      ['SUBSCRIBE a', 'PING', 'PING x', 'ECHO x', 'SET {s} 1', 'PUBSUB NUMSUB a', 'UNSUBSCRIBE'],
      7,
    ],
    ['sharded', ['SSUBSCRIBE {s}1 {s}2', 'PING', 'SUNSUBSCRIBE {s}1', 'SUNSUBSCRIBE'], 5],
    ['refusals', ['SSUBSCRIBE a b', 'SUBSCRIBE', 'PING'], 3],
  ];
  for (const [name, commands, frameCount] of transcripts) {
    it(`answers as a node does: ${name}`, async () => {
      const slot = slotOfKey('{s}');
      const node = gateway.cluster.nodes[Math.floor((slot * 3) / 16_384)];
      const direct = await connect(node?.port);
      const expected = await direct.ask(commands, frameCount);
      direct.close();
      await waitFor('the node is alone', async () => (await subscriberCount(gateway.cluster)) === 0);
      assert.deepEqual(await (await connect()).ask(commands, frameCount), expected);
    });
  }

  it('messages are pushes, also those that the client publishes itself', async () => {
    const subscriber = await connect();
    await subscriber.ask(['SUBSCRIBE a __keyevent@0__:set', 'PSUBSCRIBE ?', 'SSUBSCRIBE {s}'], 4);
    const frames = await subscriber.ask(['PUBLISH a hi', 'SPUBLISH {s} ho', 'SET {s} x'], 7);
    const pushes = ['<message a hi>', '<pmessage ? a hi>', '<smessage {s} ho>', '<message __keyevent@0__:set {s}>'];
    for (const push of pushes) assert.equal(frames.filter((frame) => frame === push).length, 1, push);
    const replies = frames.filter((frame) => !frame.startsWith('<'));
    assert.match(replies.join(' '), /^:[02] :1 \+OK$/);
  });

  it('messages come between replies, which keep their order', async () => {
    const subscriber = await connect();
    await subscriber.ask(['SUBSCRIBE a']);
    const commands = Array.from({ length: 500 }, (_, i) => (i % 5 === 0 ? `PUBLISH a m${i}` : `ECHO r${i}`));
    const frames = await subscriber.ask(commands, 600);
    const echoes = frames.filter((frame) => frame.startsWith('r'));
    assert.deepEqual(
      echoes,
      commands.filter((_, i) => i % 5 !== 0).map((command) => command.slice(5)),
    );
    const messages = frames.filter((frame) => frame.startsWith('<'));
    assert.deepEqual(
      messages,
      Array.from({ length: 100 }, (_, i) => `<message a m${i * 5}>`),
    );
  });
});

describe("pub/sub under the cluster's ACL", () => {
  let gateway: Gateway;
  let proxy: ProxyServer;
  const RULES = ['reset', 'on', '>secret', '+@all', '~*', 'resetchannels', '&news:*'];

  before(async () => {
    gateway = await Gateway.start({ replicas: 0, nodeTimeoutMs: 15_000 });
    await setUser(...RULES);
    proxy = await startProxy(gateway.cluster, { cluster: { username: 'reader', password: 'secret' } });
  });
  after(async () => {
    await proxy.stop();
    await gateway.stop();
  });

  async function setUser(...rules: string[]): Promise<void> {
    for (const node of gateway.cluster.nodes) await node.client().call('ACL', 'SETUSER', 'reader', ...rules);
  }

  it('a refusal is that of the node, and nothing is subscribed', async () => {
    const subscriber = await Subscriber.connect(proxy.address.port);
    const frames = await subscriber.ask([
      'SUBSCRIBE news:a secret',
      'PSUBSCRIBE __key*',
      'SSUBSCRIBE other',
      'PING',
      'SUBSCRIBE news:b',
      'PSUBSCRIBE news:*',
      'SSUBSCRIBE news:s',
    ]);
    for (const refusal of frames.slice(0, 3)) assert.match(refusal, NO_PERMISSION_FOR);
    assert.deepEqual(frames.slice(3), [
      '+PONG',
      '[subscribe news:b :1]',
      '[psubscribe news:* :2]',
      '[ssubscribe news:s :1]',
    ]);
    subscriber.close();
  });

  it('a client whose channel is taken away is closed', async () => {
    const subscriber = await Subscriber.connect(proxy.address.port);
    await subscriber.ask(['SUBSCRIBE news:a']);
    await setUser('resetchannels', '&other');
    await subscriber.client.closed();
    await waitFor('nobody is left', () => proxy.counters.clients === 0);
    assert.equal(proxy.counters.subscriptionBytes, 0);
    await setUser(...RULES);
  });

  it('goes on as the user that the client logs in as next', async () => {
    for (const [user, channel] of [
      ['alice', 'a'],
      ['bob', 'b'],
    ]) {
      for (const node of gateway.cluster.nodes) {
        await node.client().call('ACL', 'SETUSER', `${user}`, 'on', '>pass', '+@all', '~*', '&both', `&${channel}`);
      }
    }
    const subscriber = await Subscriber.connect(gateway.port);
    await subscriber.ask(['HELLO 3 AUTH alice pass', 'SUBSCRIBE both']);
    const [accepted, refused, confirmed] = await subscriber.ask(['AUTH bob pass', 'SUBSCRIBE a', 'SUBSCRIBE b']);
    assert.equal(accepted, '+OK');
    assert.match(refused ?? '', NO_PERMISSION_FOR);
    assert.equal(confirmed, '<subscribe b :2>');
    const publisher = await Subscriber.connect(gateway.port);
    await publisher.ask(['PUBLISH both hi']);
    assert.deepEqual(await subscriber.ask([], 1), ['<message both hi>']);
    publisher.close();
    subscriber.close();
  });

  it('runs as the user of the client, who is closed when the user is deleted', async () => {
    for (const node of gateway.cluster.nodes) {
      await node.client().call('ACL', 'SETUSER', 'guest', 'on', '>pass', '+@all', '~*', '&guests:*');
    }
    const subscriber = await Subscriber.connect(gateway.port);
    const frames = await subscriber.ask(['AUTH guest pass', 'SUBSCRIBE guests:a', 'SUBSCRIBE news:a']);
    assert.deepEqual(frames.slice(0, 2), ['+OK', '[subscribe guests:a :1]']);
    assert.match(frames[2] ?? '', NO_PERMISSION_FOR);
    for (const node of gateway.cluster.nodes) await node.client().call('ACL', 'DELUSER', 'guest');
    await subscriber.client.closed();
    await waitFor('nobody is left', () => gateway.proxy.counters.clients === 0);
  });
});
