/**
 * Pub/sub against a real cluster: what a subscriber sees is what one Redis server would show it.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it, type TestContext } from 'node:test';
import { Redis } from 'ioredis';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { RawClient } from '../support/client.ts';
import { ownerOf, slotOfKey, tagInSlot, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { Subscriber, subscriberCount } from '../support/subscriber.ts';
import { SERVER } from '../support/versions.ts';

/** A hash tag in each third of the slots: every master owns one. */
const TAGS = [100, 6000, 12_000].map(tagInSlot);

describe('pub/sub', () => {
  let gateway: Gateway;
  let publisher: Subscriber;
  const opened: Subscriber[] = [];

  before(async () => {
    gateway = await Gateway.start({ replicas: 1, nodeTimeoutMs: 15_000, config: { 'notify-keyspace-events': 'KEA' } });
    publisher = await Subscriber.connect(gateway.port);
  });
  after(async () => {
    publisher.close();
    await gateway.stop();
  });
  afterEach(() => {
    for (const subscriber of opened.splice(0)) subscriber.close();
  });

  async function connect(port = gateway.port): Promise<Subscriber> {
    const subscriber = await Subscriber.connect(port);
    opened.push(subscriber);
    return subscriber;
  }

  async function proxyWith(t: TestContext, settings: Parameters<typeof startProxy>[1]): Promise<ProxyServer> {
    const proxy = await startProxy(gateway.cluster, { ...settings, listen: { drain_ms: 0 } });
    t.after(() => proxy.stop());
    return proxy;
  }

  async function publish(...messages: [channel: string, text: string][]): Promise<void> {
    await publisher.ask(messages.map(([channel, text]) => `PUBLISH ${channel} ${text}`));
  }

  describe('RESP2', () => {
    const transcripts: [name: string, commands: string[], frameCount: number][] = [
      ['SUBSCRIBE counts channels once', ['SUBSCRIBE a a b', 'SUBSCRIBE b c'], 5],
      [
        'channels and patterns count together',
        ['SUBSCRIBE a', 'PSUBSCRIBE p* q*', 'UNSUBSCRIBE a', 'PUNSUBSCRIBE p*'],
        5,
      ],
      ['sharded channels count for themselves', ['SUBSCRIBE a', 'SSUBSCRIBE {s}1 {s}2', 'SUNSUBSCRIBE {s}1'], 4],
      [
        'ends of what never began',
        ['UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE', 'UNSUBSCRIBE x y', 'SUNSUBSCRIBE {s}'],
        6,
      ],
      [
        'ends of everything',
        ['SUBSCRIBE a', 'PSUBSCRIBE p', 'SSUBSCRIBE {s}', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE'],
        6,
      ],
      [
        'PING in and out of subscriber mode',
        ['PING', 'SUBSCRIBE a', 'PING', 'PING x', 'PING a b', 'UNSUBSCRIBE', 'PING x'],
        7,
      ],
      ['a sharded channel is a subscription', ['SSUBSCRIBE {s}', 'PING', 'ECHO x', 'SUNSUBSCRIBE', 'PING'], 5],
      [
        'other commands in subscriber mode',
        ['SUBSCRIBE a', 'GET {s}', 'CONFIG GET port', 'NOSUCH x', 'GET', 'SCRIPT NOSUCH', 'HELLO 2', 'PUBSUB NUMPAT'],
        8,
      ],
      ['RESET', ['SUBSCRIBE a', 'PSUBSCRIBE b', 'RESET', 'PING', 'UNSUBSCRIBE', 'PUNSUBSCRIBE'], 6],
      ['QUIT', ['SUBSCRIBE a', 'QUIT'], 2],
      ['CROSSSLOT', ['SSUBSCRIBE a b', 'SUNSUBSCRIBE a b', 'PING'], 3],
      ['no names', ['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'PUBSUB', 'PUBSUB NOSUCH'], 5],
      ['names of any bytes', ['SUBSCRIBE "\\xff\\r\\n\\x00"', 'PSUBSCRIBE ""', 'UNSUBSCRIBE "\\xff\\r\\n\\x00"'], 3],
    ];
    const refusesEnds = SERVER.isValkey && Math.floor(SERVER.version) === 8;
    for (const [name, commands, frameCount] of transcripts) {
      const skip = refusesEnds && /^(RESET|ends of what never began)$/.test(name) && 'only Valkey 8 answers NOSUB';
      it(`answers as a node does: ${name}`, { skip }, async () => {
        const node = await ownerOf(gateway.cluster, slotOfKey('{s}'));
        const frames = await Promise.all(
          [gateway.port, node.port].map(async (port) => {
            const subscriber = await connect(port);
            return (await subscriber.ask(commands, frameCount)).join('\n');
          }),
        );
        assert.equal(frames[0], frames[1]);
      });
    }

    it('a subscriber gets each message once, whichever node and client it comes from', async () => {
      const subscribers = await Promise.all([1, 2, 3, 4].map(() => connect()));
      for (const subscriber of subscribers) await subscriber.ask(['SUBSCRIBE news end', 'PSUBSCRIBE n*'], 3);
      await publish(['news', 'proxy']);
      for (const node of gateway.cluster.nodes) await node.client().publish('news', node.address);
      await publish(['other', 'x']);
      const sent = ['proxy', ...gateway.cluster.nodes.map((node) => node.address)];
      for (const subscriber of subscribers) {
        const frames = await subscriber.frames(2 * sent.length);
        const expected = sent.flatMap((text) => [`[message news ${text}]`, `[pmessage n* news ${text}]`]);
        assert.deepEqual(frames.sort(), expected.sort());
        await publish(['end', 'now']);
        assert.deepEqual(await subscriber.until('[message end now]'), []);
      }
    });

    it('a message is the bytes of the node', async () => {
      const subscriber = await connect();
      await subscriber.ask(['SUBSCRIBE c', 'PSUBSCRIBE ?']);
      const payload = Buffer.from([0, 255, 13, 10, 36, 42]);
      await gateway.cluster.nodes[0]?.client().publish('c', payload);
      const frames = Buffer.concat(await subscriber.client.replies(2)).toString('latin1');
      const text = payload.toString('latin1');
      assert.equal(
        frames,
        `*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$6\r\n${text}\r\n*4\r\n$8\r\npmessage\r\n$1\r\n?\r\n$1\r\nc\r\n$6\r\n${text}\r\n`,
      );
    });

    it('messages of a megabyte and of nothing pass', async () => {
      const subscriber = await connect();
      await subscriber.ask(['SUBSCRIBE c']);
      const client = await RawClient.connect(gateway.port);
      const big = Buffer.alloc(1_000_000, 'x');
      await client.pipeline([
        ['PUBLISH', 'c', big],
        ['PUBLISH', 'c', ''],
      ]);
      client.close();
      const [first, second] = await subscriber.client.replies(2);
      assert.equal(first?.length, big.length + '*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1000000\r\n\r\n'.length);
      assert.equal(String(second), '*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n');
    });

    it('C2: confirmations stand in the order of the replies, and no message overtakes them', async () => {
      const flood = setInterval(() => void gateway.cluster.masters[0]?.client().publish('flood', 'x'), 1);
      try {
        for (let round = 0; round < 20; round++) {
          const subscriber = await connect();
          subscriber.client.send(
            'EVAL "for i=1,200000 do end return 7" 1 k\r\nGET none\r\nSUBSCRIBE flood\r\nPING\r\n',
          );
          assert.deepEqual(await subscriber.frames(3), [':7', '$-1', '[subscribe flood :1]']);
          assert.ok((await subscriber.until('[pong]')).every((frame) => frame === '[message flood x]'));
          const frames = await subscriber.ask(['UNSUBSCRIBE'], 1);
          if (frames[0] !== '[unsubscribe flood :0]') {
            const rest = await subscriber.until('[unsubscribe flood :0]');
            assert.ok([...frames, ...rest].every((frame) => frame === '[message flood x]'));
          }
          assert.deepEqual(await subscriber.ask(['PING', 'GET none']), ['+PONG', '$-1']);
          subscriber.close();
        }
      } finally {
        clearInterval(flood);
      }
    });

    it('1,000 channels in one command, and 1,000 commands in one write', async () => {
      const names = Array.from({ length: 1000 }, (_, i) => `many:${i}`);
      const [one, other] = [await connect(), await connect()];
      const counted = names.map((name, i) => `[subscribe ${name} :${i + 1}]`);
      assert.deepEqual(await one.ask([`SUBSCRIBE ${names.join(' ')}`], 1000), counted);
      assert.deepEqual(await other.ask(names.map((name) => `SUBSCRIBE ${name}`)), counted);
      await publish(['many:0', 'x'], ['many:999', 'y']);
      for (const subscriber of [one, other]) {
        assert.deepEqual(await subscriber.frames(2), ['[message many:0 x]', '[message many:999 y]']);
        const ends = await subscriber.ask(['UNSUBSCRIBE'], 1000);
        assert.equal(ends.at(-1), '[unsubscribe many:999 :0]');
      }
      await waitFor('no subscriber is left', async () => (await subscriberCount(gateway.cluster)) === 0);
      assert.equal(gateway.proxy.counters.subscriptionBytes, 0);
    });

    it('CLIENT LIST tells what a client is subscribed to', async () => {
      const subscriber = await connect();
      await subscriber.ask(['CLIENT SETNAME reader', 'SUBSCRIBE a b', 'PSUBSCRIBE p', `SSUBSCRIBE ${TAGS[0]}`], 5);
      const [list = ''] = await publisher.ask(['CLIENT LIST TYPE pubsub']);
      assert.match(list, /name=reader .* flags=P db=0 sub=2 psub=1 ssub=1 /);
      await subscriber.ask(['RESET']);
      assert.doesNotMatch((await publisher.ask(['CLIENT LIST TYPE pubsub']))[0] ?? '', /ssub/);
    });

    it('a client that vanishes leaves nothing behind', async () => {
      const subscriber = await connect();
      await subscriber.ask(['SUBSCRIBE a', 'PSUBSCRIBE *', `SSUBSCRIBE ${TAGS[0]}`, `SSUBSCRIBE ${TAGS[1]}`]);
      assert.ok((await subscriberCount(gateway.cluster)) >= 3);
      subscriber.client.send('SUBSCRIBE b\r\n');
      subscriber.close();
      await waitFor('no subscriber is left', async () => (await subscriberCount(gateway.cluster)) === 0);
      assert.equal(gateway.proxy.counters.subscriptionBytes, 0);
    });

    it('a client that ends its writes is gone, as with Redis', async () => {
      const subscriber = await connect();
      await subscriber.ask(['SUBSCRIBE a']);
      subscriber.client.endWrites();
      await subscriber.client.closed();
      await waitFor('no subscriber is left', async () => (await subscriberCount(gateway.cluster)) === 0);
    });
  });

  describe('sharded channels', () => {
    it('live at the owner of their slot; SPUBLISH reaches them there, PUBLISH does not', async () => {
      const subscriber = await connect();
      const begun = await subscriber.ask(
        TAGS.map((tag) => `SSUBSCRIBE ${tag}x ${tag}y`),
        6,
      );
      assert.deepEqual(begun.at(-1), `[ssubscribe ${TAGS[2]}y :6]`);
      assert.deepEqual(await publisher.ask(TAGS.map((tag) => `SPUBLISH ${tag}x hi`)), [':1', ':1', ':1']);
      await publish([`${TAGS[0]}x`, 'classic']);
      const frames = await subscriber.frames(3);
      assert.deepEqual(frames.sort(), TAGS.map((tag) => `[smessage ${tag}x hi]`).sort());
      const ended = await subscriber.ask(['SUNSUBSCRIBE', 'PING'], 7);
      assert.equal(ended.at(-2), `[sunsubscribe ${TAGS[2]}y :0]`);
      assert.equal(ended.at(-1), '+PONG');
      assert.deepEqual(await publisher.ask([`SPUBLISH ${TAGS[0]}x hi`]), [':0']);
    });
  });

  describe('keyspace notifications', () => {
    const KEYS = TAGS.map((tag) => `${tag}k`);

    const ways: [name: string, command: string, seen: (key: string) => string][] = [
      [
        'a pattern of events',
        'PSUBSCRIBE __keyevent@0__:*',
        (key) => `[pmessage __keyevent@0__:* __keyevent@0__:set ${key}]`,
      ],
      ['a channel of events', 'SUBSCRIBE __keyevent@0__:set', (key) => `[message __keyevent@0__:set ${key}]`],
      [
        'a pattern of keys',
        'PSUBSCRIBE __keyspace@0__:*',
        (key) => `[pmessage __keyspace@0__:* __keyspace@0__:${key} set]`,
      ],
    ];
    for (const [name, command, seen] of ways) {
      it(`come from every master, each once: ${name}`, async () => {
        const subscribers = [await connect(), await connect(), await connect()];
        for (const subscriber of subscribers) await subscriber.ask([command]);
        for (let round = 0; round < 5; round++) await publisher.ask(KEYS.map((key) => `SET ${key} v`));
        const ends = TAGS.map((tag) => `${tag}end`);
        await publisher.ask(ends.map((key) => `SET ${key} v`));
        for (const subscriber of subscribers) {
          const frames = await subscriber.frames(5 * KEYS.length + ends.length);
          const expected = [...Array.from({ length: 5 }, () => KEYS).flat(), ...ends].map(seen);
          assert.deepEqual(frames.sort(), expected.sort());
          assert.equal(subscriber.client.unreadCount, 0);
        }
      });
    }

    it('a pattern that matches everything gets other messages once all the same', async () => {
      const subscriber = await connect();
      await subscriber.ask(['PSUBSCRIBE *']);
      for (const node of gateway.cluster.nodes) await node.client().publish('any', 'x');
      await publisher.ask(KEYS.map((key) => `SET ${key} v`));
      // Two events a key, and then nothing that was not seen before the last message.
      const frames = await subscriber.frames(gateway.cluster.nodes.length + 2 * KEYS.length);
      assert.equal(frames.filter((frame) => frame === '[pmessage * any x]').length, gateway.cluster.nodes.length);
      assert.equal(new Set(frames.filter((frame) => frame.includes('__key'))).size, 2 * KEYS.length);
      await publish(['end', 'x']);
      assert.deepEqual(await subscriber.until('[pmessage * end x]'), []);
    });

    it('cost one connection a master, and none when they end', async () => {
      const subscriber = await connect();
      await subscriber.ask(['SUBSCRIBE a', 'PSUBSCRIBE __key*']);
      assert.equal(await subscriberCount(gateway.cluster), 3);
      await subscriber.ask(['PUNSUBSCRIBE']);
      await waitFor('only the home is left', async () => (await subscriberCount(gateway.cluster)) === 1);
      await publish(['a', 'x']);
      assert.deepEqual(await subscriber.frames(1), ['[message a x]']);
    });
  });

  describe('PUBSUB', () => {
    it('tells of all nodes', async () => {
      const subscribers = await Promise.all([1, 2, 3, 4].map(() => connect()));
      for (const subscriber of subscribers) await subscriber.ask(['SUBSCRIBE news __keyevent@0__:x'], 2);
      await subscribers[0]?.ask(['PSUBSCRIBE p*', 'PSUBSCRIBE q*', `SSUBSCRIBE ${TAGS[0]}`, `SSUBSCRIBE ${TAGS[1]}`]);
      const node = await connect(gateway.cluster.masters[0]?.port);
      await node.ask(['SUBSCRIBE news direct'], 2);
      const [numsub, numpat, shardnumsub, ...others] = await publisher.ask([
        'PUBSUB NUMSUB news direct none __keyevent@0__:x',
        'PUBSUB NUMPAT',
        `PUBSUB SHARDNUMSUB ${TAGS[0]} ${TAGS[1]} ${TAGS[2]}`,
        'PUBSUB CHANNELS dir*',
        'PUBSUB CHANNELS none',
        'PUBSUB NUMSUB',
      ]);
      assert.equal(numsub, '[news :5 direct :1 none :0 __keyevent@0__:x :4]');
      assert.equal(numpat, ':2');
      assert.equal(shardnumsub, `[${TAGS[0]} :1 ${TAGS[1]} :1 ${TAGS[2]} :0]`);
      assert.deepEqual(others, ['[direct]', '[]', '[]']);
      const [channels = '', shardChannels = ''] = await publisher.ask(['PUBSUB CHANNELS', 'PUBSUB SHARDCHANNELS']);
      assert.deepEqual(channels.slice(1, -1).split(' ').sort(), ['__keyevent@0__:x', 'direct', 'news']);
      assert.deepEqual(shardChannels.slice(1, -1).split(' ').sort(), TAGS.slice(0, 2).sort());
    });

    it('errors and HELP are those of a node', async () => {
      const [wrong, unknown, help] = await publisher.ask(['PUBSUB CHANNELS a b', 'PUBSUB NOSUCH', 'PUBSUB HELP']);
      assert.match(wrong ?? '', /^-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'/);
      assert.match(unknown ?? '', /^-ERR unknown subcommand 'NOSUCH'/);
      assert.match(help ?? '', /PUBSUB <subcommand>/);
    });
  });

  describe('ioredis', () => {
    it('subscribes, gets messages, and ends', async () => {
      const [sub, pub] = [1, 2].map(() => new Redis({ port: gateway.port, host: '127.0.0.1', protocol: 2 }));
      assert.ok(sub && pub);
      try {
        assert.equal(await sub.subscribe('one', 'two'), 2);
        assert.equal(await sub.psubscribe('t*'), 3);
        const heard: string[] = [];
        sub.on('message', (channel: string, text: string) => heard.push(`${channel}=${text}`));
        sub.on('pmessage', (pattern: string, channel: string, text: string) =>
          heard.push(`${pattern}:${channel}=${text}`),
        );
        await pub.publish('one', '1');
        await pub.publish('two', '2');
        await waitFor('three messages', () => heard.length === 3);
        assert.deepEqual(heard.sort(), ['one=1', 't*:two=2', 'two=2']);
        assert.equal(await sub.unsubscribe('one', 'two'), 1);
        assert.equal(await sub.punsubscribe('t*'), 0);
        assert.equal(await sub.ping(), 'PONG');
        assert.equal(await sub.get('none'), null);
      } finally {
        sub.disconnect();
        pub.disconnect();
      }
    });

    it('subscribes again by itself when it has lost evalgate', async (t) => {
      const proxy = await proxyWith(t, {});
      const sub = new Redis({ port: proxy.address.port, host: '127.0.0.1', protocol: 2 });
      t.after(() => sub.disconnect());
      await sub.subscribe('one');
      await sub.ssubscribe('shard');
      sub.stream.destroy();
      await waitFor('the lost connection is noticed', () => proxy.counters.clientsTotal === 2);
      await waitFor('it is subscribed again', async () => {
        const [numsub, shardnumsub] = await publisher.ask(['PUBSUB NUMSUB one', 'PUBSUB SHARDNUMSUB shard']);
        return numsub === '[one :1]' && shardnumsub === '[shard :1]';
      });
    });
  });
});
