/**
 * CLIENT: the clients of evalgate, in Redis's words. What does not depend on ids and addresses is compared with a node.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type Argument, encodeCommand, RawClient } from '../support/client.ts';
import { tagInSlot, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { SERVER } from '../support/versions.ts';

/** The fields of a line of CLIENT LIST. */
function fieldsOf(line: string): Record<string, string> {
  return Object.fromEntries(
    line.split(' ').map((field) => {
      const at = field.indexOf('=');
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

/** The lines in a bulk string. */
function linesIn(reply: string): Record<string, string>[] {
  const text = reply.slice(reply.indexOf('\r\n') + 2, -2);
  return text.split('\n').filter(Boolean).map(fieldsOf);
}

function requests(...commands: string[]): Buffer {
  return Buffer.concat(commands.map((command) => encodeCommand(command.split(' '))));
}

describe('CLIENT', () => {
  let gateway: Gateway;
  let client: RawClient;
  let other: RawClient;
  const opened: RawClient[] = [];

  const connect = async (port = gateway.port): Promise<RawClient> => {
    const one = await RawClient.connect(port);
    opened.push(one);
    return one;
  };
  const idOf = async (one: RawClient): Promise<string> => (await one.text('CLIENT', 'ID')).slice(1, -2);
  const info = async (one: RawClient): Promise<Record<string, string>> =>
    linesIn(await one.text('CLIENT', 'INFO'))[0] ?? {};

  before(async () => {
    gateway = await Gateway.start({ masters: 2, replicas: 0, nodeTimeoutMs: 15_000 });
  });
  after(() => gateway.stop());
  beforeEach(async () => {
    client = await connect();
    other = await connect();
  });
  afterEach(async () => {
    const last = await RawClient.connect(gateway.port);
    await last.text('CLIENT', 'UNPAUSE');
    for (const one of [...opened.splice(0), last]) one.close();
    await waitFor('all clients are gone', () => gateway.proxy.clients.size === 0);
  });

  // evalgate speaks as 7.0 does; 6.2 has other words for most of it, Valkey 9 for some.
  const isOld = SERVER.version < 7;
  const otherWords = isOld ? '6.2 has other words' : false;
  const ofValkey9 =
    SERVER.isValkey && SERVER.version >= 9 ? /^(LIST ID|KILL ID x|PAUSE 1 write x|UNBLOCK 1 error x)/ : /^$/;
  describe('says what a node says', { skip: otherWords }, () => {
    const same = [
      ...['LIST BOGUS', 'LIST BOGUS x', 'LIST TYPE', 'LIST TYPE bogus', 'LIST TYPE slave', 'LIST TYPE master'],
      ...['LIST TYPE replica', 'LIST TYPE pubsub', 'LIST TYPE normal x', 'LIST ID', 'LIST ID x', 'LIST ID 0 -1'],
      ...['LIST ID 999999 1000000', 'LIST ID 999999 x', 'LIST ID 99999999999999999999', 'INFO x'],
      ...['KILL', 'KILL x', 'KILL 1.2.3.4:5', 'KILL ID', 'KILL ID x', 'KILL ID 0', 'KILL ID 999999', 'KILL BOGUS x'],
      ...['KILL TYPE bogus', 'KILL TYPE master', 'KILL TYPE normal SKIPME maybe', 'KILL ADDR a:1 LADDR b:2'],
      ...['KILL ID 999999 TYPE', 'NO-EVICT', 'NO-EVICT x', 'NO-EVICT on', 'NO-EVICT OFF', 'GETREDIR', 'GETREDIR x'],
      ...['TRACKINGINFO', 'CACHING yes', 'CACHING', 'TRACKING', 'TRACKING off', 'TRACKING x', 'REPLY', 'REPLY x'],
      ...['REPLY on', 'PAUSE', 'PAUSE x', 'PAUSE -1', 'PAUSE 0', 'PAUSE 1 bogus', 'PAUSE 1.5', 'PAUSE 1 write x'],
      ...['PAUSE x bogus', 'UNPAUSE', 'UNPAUSE x', 'UNBLOCK', 'UNBLOCK x', 'UNBLOCK 999999', 'UNBLOCK 999999 bogus'],
      ...['UNBLOCK -5 timeout', 'UNBLOCK 1 error x', 'BOGUS', 'bogus x', 'HELP', 'GETNAME', 'SETNAME x', 'GETNAME x'],
    ];
    for (const command of same) {
      it(`to CLIENT ${command}`, { skip: ofValkey9.test(command) ? 'Valkey 9 has other words' : false }, async () => {
        const node = await connect(gateway.cluster.nodes[0]?.port);
        const words = ['CLIENT', ...command.split(' ')];
        assert.equal(await client.text(...words), await node.text(...words));
      });
    }
    it('to CLIENT', async () => {
      const node = await connect(gateway.cluster.nodes[0]?.port);
      assert.equal(await client.text('CLIENT'), await node.text('CLIENT'));
    });
  });

  describe('LIST and INFO', () => {
    it('has the fields of a node, in its order', async () => {
      const node = await connect(gateway.cluster.nodes[0]?.port);
      const names = Object.keys(await info(client));
      const ofNode = Object.keys(await info(node));
      const shared = ofNode.filter((name) => names.includes(name));
      assert.deepEqual(
        names.filter((name) => ofNode.includes(name)),
        shared,
      );
      // 6.2 lacks seven of ours, 7.0 none but the last two; newer servers have some of their own.
      assert.ok(shared.length >= names.length - 7, shared.join());
      assert.deepEqual(names.slice(-2), ['lib-name', 'lib-ver']);
    });

    it('tells what is known', async () => {
      await client.pipeline([
        ['CLIENT', 'SETNAME', 'me'],
        ['CLIENT', 'SETINFO', 'LIB-NAME', 'lib'],
        ['CLIENT', 'SETINFO', 'LIB-VER', '1.2'],
        ['CLIENT', 'NO-EVICT', 'ON'],
        ['CLIENT', 'NO-TOUCH', 'ON'],
        ['GET', 'k'],
      ]);
      await other.text('NOSUCH');
      const me = await info(client);
      assert.equal(me['id'], await idOf(client));
      assert.match(me['addr'] ?? '', /^127\.0\.0\.1:\d+$/);
      assert.equal(me['laddr'], `127.0.0.1:${gateway.port}`);
      assert.deepEqual(
        ['name', 'flags', 'db', 'cmd', 'user', 'resp', 'lib-name', 'lib-ver'].map((name) => me[name]),
        ['me', 'eT', '0', 'client|info', 'default', '2', 'lib', '1.2'],
      );
      const listed = linesIn(await client.text('CLIENT', 'LIST'));
      assert.deepEqual(
        listed.map(({ cmd }) => cmd),
        ['client|list', 'NULL'],
      );
      await client.text('RESET');
      const fresh = await info(client);
      assert.deepEqual([fresh['name'], fresh['flags']], ['', 'N']);
    });

    it('tells how long a client is there and idle, in seconds', async () => {
      const id = await idOf(other);
      await waitFor('the other one is idle for a second', async () => {
        const [line] = linesIn(await client.text('CLIENT', 'LIST', 'ID', id));
        return Number(line?.['idle']) >= 1 && Number(line?.['age']) >= Number(line?.['idle']);
      });
      assert.equal((await info(client))['idle'], '0');
    });

    it('lists by type and by id, in the order asked', async () => {
      const [one, two] = [await idOf(client), await idOf(other)];
      const ids = (reply: string) => linesIn(reply).map(({ id }) => id);
      assert.deepEqual(ids(await client.text('CLIENT', 'LIST')), [one, two]);
      assert.deepEqual(ids(await client.text('CLIENT', 'LIST', 'type', 'NORMAL')), [one, two]);
      assert.deepEqual(ids(await client.text('CLIENT', 'LIST', 'ID', two, 1, one)), [two, one]);
    });

    it('lists a thousand clients in one reply', async () => {
      const many = await Promise.all(Array.from({ length: 1000 }, () => connect()));
      await many[999]?.text('PING');
      await waitFor('all are accepted', () => gateway.proxy.clients.size === 1002);
      assert.equal(linesIn(await client.text('CLIENT', 'LIST')).length, 1002);
    });
  });

  describe('KILL', () => {
    it('ends another client by id, address, and other filters together', async () => {
      const { addr = '', id = '' } = await info(other);
      assert.equal(await client.text('CLIENT', 'KILL', 'ID', id, 'ADDR', '1.2.3.4:5'), ':0\r\n');
      assert.equal(await client.text('CLIENT', 'KILL', 'ID', id, 'USER', 'nobody'), ':0\r\n');
      const filters = [
        'ID',
        id,
        'ADDR',
        addr,
        'LADDR',
        `127.0.0.1:${gateway.port}`,
        'USER',
        'default',
        'TYPE',
        'normal',
      ];
      assert.equal(await client.text('CLIENT', 'KILL', ...filters), ':1\r\n');
      await other.closed();
      assert.equal(await client.text('CLIENT', 'KILL', 'ID', id), ':0\r\n');
      assert.equal(gateway.proxy.counters.clientsKilled, 1);
    });

    it('by address alone says OK, or that there is none', async () => {
      const { addr = '' } = await info(other);
      assert.equal(await client.text('CLIENT', 'KILL', addr), '+OK\r\n');
      await other.closed();
      assert.equal(await client.text('CLIENT', 'KILL', addr), '-ERR No such client\r\n');
    });

    it('leaves out the one who asks, unless told otherwise: it gets its reply, and nothing behind it runs', async () => {
      const third = await connect();
      await third.text('PING');
      assert.equal(await client.text('CLIENT', 'KILL', 'TYPE', 'normal'), ':2\r\n');
      await Promise.all([other.closed(), third.closed()]);
      client.send(requests('SET {kill}k 1', 'CLIENT KILL SKIPME no', 'SET {kill}k 2'));
      assert.deepEqual((await client.repliesUntilEnd()).map(String), ['+OK\r\n', ':1\r\n']);
      const last = await connect();
      assert.equal(await last.text('GET', '{kill}k'), '$1\r\n1\r\n');
    });

    it('ends a client in the middle of a pipeline, and others go on', async () => {
      const id = await idOf(other);
      other.send(Buffer.concat(Array.from({ length: 5000 }, (_, i) => encodeCommand(['SET', `k${i}`, 'v']))));
      assert.equal(await client.text('CLIENT', 'KILL', 'ID', id), ':1\r\n');
      await other.closed();
      assert.equal(await client.text('SET', 'k', 'v'), '+OK\r\n');
      await waitFor('nothing of it is left', () => gateway.proxy.counters.bufferedBytes === 0);
    });
  });

  describe('REPLY', () => {
    const pipelines: string[][] = [
      ['CLIENT REPLY off', 'PING', 'CLIENT REPLY x', 'CLIENT REPLY SKIP', 'PING', 'CLIENT REPLY ON', 'PING'],
      ['CLIENT REPLY SKIP', 'PING', 'PING a'],
      ['CLIENT REPLY SKIP', 'CLIENT REPLY SKIP', 'PING a', 'PING b'],
      ['CLIENT REPLY SKIP', 'CLIENT REPLY ON', 'PING b'],
      ['CLIENT REPLY SKIP', 'CLIENT REPLY OFF', 'PING b'],
      ['CLIENT REPLY SKIP', 'NOSUCH', 'PING'],
      ['CLIENT REPLY SKIP', 'GET', 'PING'],
      ['CLIENT REPLY OFF', 'RESET', 'PING'],
      ['CLIENT REPLY SKIP', 'RESET', 'PING'],
      ['CLIENT REPLY SKIP', 'CLIENT REPLY bogus', 'PING'],
      ['CLIENT REPLY OFF', 'GET k'],
    ];
    for (const pipeline of pipelines) {
      it(`leaves out what a node leaves out of ${pipeline.join(' | ')}`, async () => {
        const replies = async (one: RawClient): Promise<string[]> => {
          one.send(requests(...pipeline, 'CLIENT REPLY ON', 'QUIT'));
          return (await one.repliesUntilEnd()).map(String);
        };
        const node = await connect(gateway.cluster.nodes[0]?.port);
        assert.deepEqual(await replies(client), await replies(node));
      });
    }

    it('OFF holds for commands to several nodes, with errors among them, and they run in their order', async () => {
      const [a, b] = [tagInSlot(0), tagInSlot(16383)];
      const silent = Array.from({ length: 2000 }, (_, i) => [
        `INCR ${a}n`,
        `MSET ${a}v ${i} ${b}v ${i}`,
        `LPUSH ${b}v x`,
      ]).flat();
      client.send(requests('CLIENT REPLY OFF', ...silent, 'CLIENT REPLY ON', `GET ${a}n`, `MGET ${a}v ${b}v`));
      assert.deepEqual((await client.replies(3)).map(String), [
        '+OK\r\n',
        '$4\r\n2000\r\n',
        '*2\r\n$4\r\n1999\r\n$4\r\n1999\r\n',
      ]);
      assert.equal(client.unreadCount, 0);
    });

    it('SKIP leaves out the reply of a node, of a split and of a script, and no other', async () => {
      const [a, b] = [tagInSlot(0), tagInSlot(16383)];
      client.send(
        Buffer.concat([
          requests('CLIENT REPLY SKIP', `SET ${a}s 1`, `GET ${a}s`, 'CLIENT REPLY SKIP', `MGET ${a}s ${b}s`),
          requests('DBSIZE x', 'CLIENT REPLY SKIP'),
          encodeCommand(['EVAL', "return redis.call('INCR', KEYS[1])", 1, `${a}s`]),
          requests(`GET ${a}s`),
        ]),
      );
      assert.deepEqual((await client.replies(3)).map(String), [
        '$1\r\n1\r\n',
        "-ERR wrong number of arguments for 'dbsize' command\r\n",
        '$1\r\n2\r\n',
      ]);
    });

    it('OFF silences a protocol error and QUIT, too', async () => {
      client.send(Buffer.concat([requests('CLIENT REPLY OFF'), Buffer.from('*x\r\n')]));
      assert.deepEqual(await client.repliesUntilEnd(), []);
      other.send(requests('CLIENT REPLY OFF', 'QUIT'));
      assert.deepEqual(await other.repliesUntilEnd(), []);
    });
  });

  describe('PAUSE', () => {
    /** Whether the reply of what was sent is still not there when another client has had several. */
    async function isHeld(one: RawClient): Promise<boolean> {
      for (let i = 0; i < 5; i++) await other.text('CLIENT', 'ID');
      return one.unreadCount === 0;
    }

    it('ALL holds every command of every client until UNPAUSE, and CLIENT passes', async () => {
      assert.equal(await other.text('CLIENT', 'PAUSE', 60_000), '+OK\r\n');
      client.send(requests('CLIENT GETNAME', 'PING', 'SET {pause}k 1', 'GET {pause}k'));
      const third = await connect();
      third.send(requests('NOSUCH'));
      assert.equal(String(await client.reply()), '$-1\r\n');
      assert.ok(await isHeld(client));
      assert.ok(await isHeld(third));
      assert.equal(await other.text('CLIENT', 'UNPAUSE'), '+OK\r\n');
      assert.deepEqual((await client.replies(3)).map(String), ['+PONG\r\n', '+OK\r\n', '$1\r\n1\r\n']);
      assert.match(String(await third.reply()), /^-ERR unknown command/);
    });

    it('WRITE holds what may write, and what stands behind it; the deadline ends it', async () => {
      await other.text('CLIENT', 'PAUSE', 1500, 'WRITE');
      const third = await connect();
      assert.equal(await third.text('GET', '{pause}none'), '$-1\r\n');
      const readOnly = ['EVAL_RO', "return redis.call('GET', KEYS[1])", 1, '{pause}none'] as Argument[];
      assert.equal(await third.text(...readOnly), '$-1\r\n');
      const fourth = await connect();
      fourth.send(encodeCommand(['EVAL', 'return 1', 1, '{pause}k']));
      client.send(requests('INCR {pause}n', 'GET {pause}n', 'PFCOUNT {pause}none', 'PUBLISH c m'));
      assert.ok(await isHeld(client));
      assert.ok(await isHeld(fourth));
      assert.deepEqual((await client.replies(4)).map(String), [':1\r\n', '$1\r\n1\r\n', ':0\r\n', ':0\r\n']);
      assert.equal(String(await fourth.reply()), ':1\r\n');
    });

    it('a script that is held is looked up in the store all the same', async () => {
      const path = mkdtempSync(join(tmpdir(), 'evalgate-pause-'));
      const overrides = { scripting: { store: { type: 'directory', path } } } as const;
      const [one, two] = [await startProxy(gateway.cluster, overrides), await startProxy(gateway.cluster, overrides)];
      const loader = await connect(one.address.port);
      const [caller, pauser] = [await connect(two.address.port), await connect(two.address.port)];
      const sha = (await loader.text('SCRIPT', 'LOAD', 'return "of the store"')).split('\r\n')[1] ?? '';
      for (const node of gateway.cluster.nodes) await node.client().script('FLUSH');
      await pauser.text('CLIENT', 'PAUSE', 60_000);
      caller.send(encodeCommand(['EVALSHA', sha, 1, 'k']));
      for (let i = 0; i < 5; i++) await pauser.text('CLIENT', 'ID');
      assert.equal(caller.unreadCount, 0);
      await pauser.text('CLIENT', 'UNPAUSE');
      assert.equal(String(await caller.reply()), '$12\r\nof the store\r\n');
      await Promise.all([one.stop(), two.stop()]);
      rmSync(path, { recursive: true });
    });

    it('a held client can be killed, and what it sent does not run', async () => {
      const id = await idOf(client);
      await other.text('CLIENT', 'PAUSE', 60_000);
      client.send(requests('SET {pause}killed 1'));
      assert.ok(await isHeld(client));
      assert.equal(await other.text('CLIENT', 'KILL', 'ID', id), ':1\r\n');
      await client.closed();
      await other.text('CLIENT', 'UNPAUSE');
      assert.equal(await other.text('GET', '{pause}killed'), '$-1\r\n');
    });

    it('a held client that goes away, or closes its side, is gone at once, and what it sent does not run', async () => {
      await other.text('CLIENT', 'PAUSE', 60_000);
      const third = await connect();
      client.send(requests('SET {pause}gone 1'));
      third.send(requests('SET {pause}gone 2'));
      assert.ok(await isHeld(client));
      await waitFor('both are held', () => [...gateway.proxy.clients].filter((one) => one.isBlocked).length === 2);
      client.close();
      third.endWrites();
      await waitFor('both are gone', () => gateway.proxy.clients.size === 1);
      assert.equal(gateway.proxy.counters.bufferedBytes, 0);
      await other.text('CLIENT', 'UNPAUSE');
      assert.equal(await other.text('GET', '{pause}gone'), '$-1\r\n');
    });

    it('holds a client with much to say without holding all it says', async () => {
      await other.text('CLIENT', 'PAUSE', 60_000);
      const value = Buffer.alloc(1024 * 1024, 'v');
      const count = 64;
      for (let i = 0; i < count; i++) client.send(encodeCommand(['SET', '{pause}big', value]));
      assert.ok(await isHeld(client));
      assert.ok(gateway.proxy.counters.bufferedBytes < 8 * value.length, `${gateway.proxy.counters.bufferedBytes}`);
      await other.text('CLIENT', 'UNPAUSE');
      assert.deepEqual([...new Set((await client.replies(count)).map(String))], ['+OK\r\n']);
    });
  });

  it('TRACKING is refused with the reason, and NO-TOUCH is accepted', async () => {
    assert.equal(
      await client.text('CLIENT', 'TRACKING', 'ON'),
      "-ERR evalgate: 'CLIENT TRACKING' is not supported: nodes do not tell evalgate which keys changed\r\n",
    );
    assert.equal(await client.text('CLIENT', 'NO-TOUCH', 'on'), '+OK\r\n');
    assert.equal(await client.text('CLIENT', 'NO-TOUCH', 'x'), '-ERR syntax error\r\n');
  });
});
