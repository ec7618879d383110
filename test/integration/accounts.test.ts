/**
 * Accounts of the config (SPEC 5): logging in at evalgate, what may be done before, and what `read_only` may do.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { Accounts } from '../../src/session/accounts.ts';
import { RawClient } from '../support/client.ts';
import { startProxy } from '../support/gateway.ts';
import { bulk, error, shaOf } from '../support/stand.ts';
import { BEFORE_7, NOSCRIPT } from '../support/versions.ts';

const OK = '+OK\r\n';
const NOAUTH = error('NOAUTH Authentication required.');
const WRONGPASS = error('WRONGPASS invalid username-password pair or user is disabled.');
const NO_PRIVILEGE = error('ERR bad write command in no write privilege');
const ENTRIES = [
  { username: 'app', password: 'app secret', privilege: 'read_write' },
  { username: 'report', password: 'x', privilege: 'read_only' },
  { username: 'default', password: 'plain', privilege: 'read_write' },
] as const;

describe('accounts', () => {
  let cluster: LocalCluster;
  let proxy: ProxyServer;
  let folder: string;
  let client: RawClient;
  const text = (line: string) => client.text(...line.split(' '));

  before(async () => {
    cluster = await LocalCluster.start({ replicas: 0, nodeTimeoutMs: 15_000 });
    folder = mkdtempSync(join(tmpdir(), 'evalgate-accounts-'));
    writeFileSync(join(folder, 'report'), 'x\n');
    const fromFile = { username: 'report', password_file: join(folder, 'report'), privilege: 'read_only' } as const;
    const accounts = [ENTRIES[0], fromFile, ENTRIES[2]];
    proxy = await startProxy(cluster, { accounts });
  });
  after(async () => {
    client.close();
    await proxy.stop();
    await cluster.stop();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    client?.close();
    client = await RawClient.connect(proxy.address.port);
  });

  async function logIn(username: string, password: string): Promise<RawClient> {
    const other = await RawClient.connect(proxy.address.port);
    assert.equal(await other.text('AUTH', username, password), OK);
    return other;
  }

  describe('before logging in', () => {
    const replies: [line: string, reply: string][] = [
      ['PING', NOAUTH],
      ['GET k', NOAUTH],
      ['EVAL x 1 k', NOAUTH],
      ['MULTI', NOAUTH],
      ['CLIENT ID', NOAUTH],
      ['CLUSTER NODES', NOAUTH],
      ['SHUTDOWN', NOAUTH],
      ['GET', error("ERR wrong number of arguments for 'get' command")],
      ['CONFIG GET', error("ERR wrong number of arguments for 'config|get' command")],
      ['NOSUCH a b', error("ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ")],
      ['CONFIG BOGUS', error("ERR unknown subcommand 'BOGUS'. Try CONFIG HELP.")],
      [
        `${'x'.repeat(200)} ${'y'.repeat(200)} z`,
        error(`ERR unknown command '${'x'.repeat(128)}', with args beginning with: '${'y'.repeat(128)}' `),
      ],
      ['RESET', '+RESET\r\n'],
      ['AUTH app wrong', WRONGPASS],
      ['AUTH nobody x', WRONGPASS],
      ['AUTH a b c', error('ERR syntax error')],
      ['HELLO 9', error('NOPROTO unsupported protocol version')],
    ];
    for (const [line, reply] of replies) {
      it(`${line.slice(0, 30)} → ${JSON.stringify(reply.slice(0, 60))}`, async () => {
        assert.equal(await text(line), reply);
      });
    }

    it('HELLO without AUTH is refused, and with a wrong one', async () => {
      assert.match(await text('HELLO 3'), /^-NOAUTH HELLO must be called with the client already authenticated/);
      assert.equal(await text('HELLO 3 AUTH app wrong'), WRONGPASS);
      assert.equal(await text('PING'), NOAUTH);
    });

    it('QUIT says OK and ends', async () => {
      client.send('QUIT\r\n');
      assert.deepEqual((await client.repliesUntilEnd()).map(String), [OK]);
    });

    it('more than 10 arguments, or a large one, is a protocol error; 10 and 16384 are not', async () => {
      assert.equal(await client.text(...'SET 2 3 4 5 6 7 8 9 10'.split(' ')), NOAUTH);
      assert.equal(await client.text('GET', 'x'.repeat(16384)), NOAUTH);
      client.send('*1\r\n$4\r\nPING\r\n*11\r\n');
      const replies = (await client.repliesUntilEnd()).map(String);
      assert.deepEqual(replies, [NOAUTH, error('ERR Protocol error: unauthenticated multibulk length')]);
      const other = await RawClient.connect(proxy.address.port);
      other.send('*2\r\n$3\r\nGET\r\n$16385\r\n');
      const large = (await other.repliesUntilEnd()).map(String);
      assert.deepEqual(large, [error('ERR Protocol error: unauthenticated bulk length')]);
    });

    it('a body that was never let in is not learned', async () => {
      const body = 'return "not let in"';
      assert.equal(await client.text('EVAL', body, 1, 'k'), NOAUTH);
      assert.equal(proxy.registry.findBySha(shaOf(body)), undefined);
    });
  });

  describe('logging in', () => {
    it('by AUTH, with what follows in the same write', async () => {
      const replies = await client.pipeline([
        ['GET', 'k'],
        ['AUTH', 'app', 'app secret'],
        ['SET', 'k', 'x'.repeat(20_000)],
        ['STRLEN', 'k'],
      ]);
      assert.deepEqual(replies.map(String), [NOAUTH, OK, OK, ':20000\r\n']);
    });

    it('by AUTH without a name, as default', async () => {
      assert.equal(await text('AUTH plain'), OK);
      assert.equal(await text('AUTH wrong'), WRONGPASS);
      assert.equal(await text('PING'), '+PONG\r\n', 'stays who it was');
    });

    it('by HELLO, in RESP3', async () => {
      assert.match(await text('HELLO 3 AUTH report x SETNAME me'), /^%7\r\n/);
      assert.equal(await text('GET nothing'), '_\r\n');
      assert.equal(await text('CLIENT GETNAME'), bulk('me'));
    });

    it('RESET logs out', async () => {
      await text('AUTH plain');
      assert.equal(await text('RESET'), '+RESET\r\n');
      assert.equal(await text('PING'), NOAUTH);
    });

    it("runs as the proxy's own user at the nodes", async () => {
      await text('AUTH report x');
      await text('AUTH plain');
      assert.equal(await text('ACL WHOAMI'), bulk('default'));
    });
  });

  describe('read_only', () => {
    beforeEach(async () => {
      const writer = await logIn('default', 'plain');
      await writer.pipeline([
        ['SET', 'k', 'v'],
        [
          'FUNCTION',
          'LOAD',
          'REPLACE',
          "#!lua name=l\nredis.register_function{function_name='r', callback=function(k) return redis.call('GET', k[1]) end, flags={'no-writes'}} redis.register_function('w', function(k) return redis.call('SET', k[1], 1) end)",
        ],
      ]);
      writer.close();
      assert.equal(await text('AUTH report x'), OK);
    });

    const allowed = [
      'GET k',
      'MGET k k2',
      'KEYS *',
      'SCAN 0',
      'DBSIZE',
      'PING',
      'ECHO x',
      'CLIENT ID',
      'CLIENT SETNAME a',
      'COMMAND COUNT',
      'SELECT 0',
      'OBJECT ENCODING k',
      'READONLY',
      'CLUSTER SLOTS',
      'CLIENT LIST',
      'TTL k',
      'XREAD STREAMS s 0',
    ];
    for (const line of allowed) {
      it(`may ${line}`, async () => assert.match(await text(line), /^[^-]/));
    }

    const refused: [line: string, name: string][] = [
      ['SET k 2', 'set'],
      ['DEL k', 'del'],
      ['FLUSHALL', 'flushall'],
      ['CONFIG SET hz 10', 'config|set'],
      ['SCRIPT LOAD x', 'script|load'],
      ['SCRIPT FLUSH', 'script|flush'],
      ['PUBLISH a b', 'publish'],
      ['XGROUP CREATE s g 0 MKSTREAM', 'xgroup|create'],
      ['GETEX k', 'getex'],
      ['SORT k', 'sort'],
      ['MULTI', 'multi'],
      ['CLIENT KILL 1.2.3.4:5', 'client|kill'],
      ['CLIENT PAUSE 1', 'client|pause'],
    ];
    for (const [line, name] of refused) {
      it(`may not ${line}`, async () => {
        const reply = await text(line);
        assert.match(
          reply,
          new RegExp(
            `^-NOPERM User report has no permissions to run the '${name.replace('|', '\\|')}(\\|\\w+)?' command\\r\\n$`,
          ),
        );
      });
    }

    it('gets unknown commands and wrong arity told, without a node', async () => {
      assert.equal(await text('NOSUCH a'), error("ERR unknown command 'NOSUCH', with args beginning with: 'a' "));
      assert.equal(await text('GET'), error("ERR wrong number of arguments for 'get' command"));
    });

    it('EVAL and EVALSHA of what writes are refused, by R12a', async () => {
      const body = "return redis.call('SET', KEYS[1], 1)";
      const writer = await logIn('default', 'plain');
      assert.equal(await writer.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
      writer.close();
      assert.equal(await client.text('EVAL', body, 1, 'k'), NO_PRIVILEGE);
      assert.equal(await client.text('EVALSHA', shaOf(body), 1, 'k'), NO_PRIVILEGE);
      assert.equal(await client.text('EVAL', body, 'x', 'k'), error('ERR value is not an integer or out of range'));
      assert.equal(await text('GET k'), bulk('v'));
    });

    it('EVAL and EVALSHA of what only reads run', { skip: BEFORE_7 }, async () => {
      const body = "return redis.call('GET', KEYS[1])";
      for (let i = 0; i < 3; i++) assert.equal(await client.text('EVAL', body, 1, 'k'), bulk('v'));
      assert.equal(await client.text('EVALSHA', shaOf(body), 1, 'k'), bulk('v'));
      assert.equal(await client.text('EVAL_RO', body, 1, 'k'), bulk('v'));
    });

    it('what nobody can tell is enforced by the node, also when the checks are off', { skip: BEFORE_7 }, async () => {
      const unchecked = await startProxy(cluster, { accounts: [...ENTRIES], scripting: { script_check_enable: 0 } });
      const other = await RawClient.connect(unchecked.address.port);
      assert.equal(await other.text('AUTH', 'report', 'x'), OK);
      const opaque = 'return redis.call(ARGV[1], KEYS[1], ARGV[2])';
      for (let i = 0; i < 2; i++) {
        assert.match(
          await other.text('EVAL', opaque, 1, 'k', 'SET', 'no'),
          /^-ERR Write commands are not allowed from read-only scripts/,
        );
        assert.match(
          await other.text('EVALSHA', shaOf(opaque), 1, 'k', 'SET', 'no'),
          /^-ERR Write commands are not allowed from read-only scripts/,
        );
      }
      assert.equal(await other.text('EVAL', "return redis.call('DEL', KEYS[1])", 1, 'k'), NO_PRIVILEGE);
      assert.equal(await other.text('EVALSHA', 'e'.repeat(40), 1, 'k'), NOSCRIPT);
      assert.equal(await other.text('GET', 'k'), bulk('v'));
      other.close();
      await unchecked.stop();
    });

    it('FCALL runs as FCALL_RO', { skip: BEFORE_7 }, async () => {
      assert.equal(await text('FCALL r 1 k'), bulk('v'));
      assert.match(await text('FCALL w 1 k'), /^-ERR Can not execute a script with write flag using \*_ro command/);
      assert.equal(await text('FCALL_RO r 1 k'), bulk('v'));
    });
  });

  it('exchanged while it runs: who is gone is closed when answered, a privilege changes at once', async () => {
    const own = await startProxy(cluster, { accounts: [...ENTRIES] });
    const connect = async (username: string, password: string) => {
      const other = await RawClient.connect(own.address.port);
      assert.equal(await other.text('AUTH', username, password), OK);
      return other;
    };
    const [app, report, plain] = [
      await connect('app', 'app secret'),
      await connect('report', 'x'),
      await connect('default', 'plain'),
    ];
    own.useAccounts(
      new Accounts([
        { ...ENTRIES[0], privilege: 'read_only' },
        { ...ENTRIES[1], password: 'y' },
      ]),
    );
    await Promise.all([report.closed(), plain.closed()]);
    assert.match(await app.text('SET', 'k', 'v'), /^-NOPERM User app /);
    const again = await connect('report', 'y');
    for (const one of [app, report, plain, again]) one.close();
    await own.stop();
  });

  // The last one: after it logins from this address are slow.
  it('slows down who guesses, and forgets no reply', async () => {
    const guess = async () => {
      const startMs = performance.now();
      assert.equal(await text('AUTH app wrong'), WRONGPASS);
      return performance.now() - startMs;
    };
    for (let i = 0; i < 6; i++) await guess();
    assert.ok((await guess()) >= 190);
    assert.ok((await guess()) >= 390);
    const startMs = performance.now();
    const replies = await client.pipeline([['AUTH', 'plain'], ['PING']]);
    assert.deepEqual(replies.map(String), [OK, '+PONG\r\n']);
    assert.ok(performance.now() - startMs >= 390, 'a good login waits too');
  });
});
