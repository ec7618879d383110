/**
 * Identity without accounts (SPEC 5): AUTH is the nodes' to answer, commands run as the client's user, and nobody gets
 * what the nodes' ACL would not have given.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { type Argument, RawClient } from '../support/client.ts';
import { tagInSlot, waitFor } from '../support/cluster.ts';
import { startProxy } from '../support/gateway.ts';
import { bulk, error, shaOf } from '../support/stand.ts';
import { NO_PERMISSION_FOR, NOSCRIPT, noPermissionTo } from '../support/versions.ts';

const [K1, K2, K3] = [100, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`) as [string, string, string];
const KEYS = [K1, K2, K3];
const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';
const WRONGPASS = error('WRONGPASS invalid username-password pair or user is disabled.');

describe('identity', () => {
  let cluster: LocalCluster;
  let proxy: ProxyServer;
  const clients: RawClient[] = [];

  before(async () => {
    cluster = await LocalCluster.start({ replicas: 0, nodeTimeoutMs: 15_000 });
    proxy = await startProxy(cluster);
  });
  after(async () => {
    await proxy.stop();
    await cluster.stop();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  /** The same on every node, past the proxy. */
  async function atNodes(...args: [string, ...Argument[]]): Promise<void> {
    await Promise.all(cluster.masters.map((node) => node.client().call(...args)));
  }

  async function connect(to: ProxyServer = proxy): Promise<RawClient> {
    const client = await RawClient.connect(to.address.port);
    clients.push(client);
    return client;
  }

  async function logIn(username: string, password = 'pw', to: ProxyServer = proxy): Promise<RawClient> {
    const client = await connect(to);
    assert.equal(await client.text('AUTH', username, password), OK);
    return client;
  }

  function connectionsOf(username: string): number {
    const pools = [...proxy.upstream.pools].filter(({ access }) => access.identity.displayName === username);
    return pools.reduce((sum, pool) => sum + pool.connections.length, 0);
  }

  describe('users', () => {
    before(async () => {
      await atNodes('ACL', 'SETUSER', 'alice', 'on', '>pw', '~*', '&*', '+@all');
      await atNodes('ACL', 'SETUSER', 'reader', 'on', '>pw', `~${K1}`, '+@read', '+@connection');
    });

    it('commands run as the user, in RESP2 and in RESP3', async () => {
      const client = await logIn('alice');
      assert.equal(await client.text('ACL', 'WHOAMI'), bulk('alice'));
      assert.match(await client.text('HELLO', 3, 'AUTH', 'reader', 'pw'), /^%7/);
      assert.equal(await client.text('GET', K1), '_\r\n');
      assert.match(await client.text('GET', K2), NO_PERMISSION_FOR);
      assert.match(await client.text('MGET', K1, K2), NO_PERMISSION_FOR);
      assert.match(await client.text('SET', K1, 'v'), noPermissionTo('set'));
      assert.equal(await client.text('RESET'), '+RESET\r\n');
      assert.equal(await client.text('ACL', 'WHOAMI'), bulk('default'));
    });

    it('a wrong password gets the words of the node, and changes nothing for anybody', async () => {
      const [client, other] = [await logIn('alice'), await logIn('alice')];
      const node = await RawClient.connect(cluster.masters[0]?.port ?? 0);
      clients.push(node);
      const attempts = [
        ['AUTH', 'alice', 'x'],
        ['AUTH', 'nobody', 'x'],
        ['AUTH', 'x'],
        ['AUTH', 'alice', ''],
      ];
      for (const attempt of attempts) assert.equal(await client.text(...attempt), await node.text(...attempt));
      assert.equal(await client.text('HELLO', 3, 'AUTH', 'alice', 'x'), WRONGPASS);
      for (const one of [client, other]) assert.equal(await one.text('ACL', 'WHOAMI'), bulk('alice'));
      assert.equal(await client.text('GET', K1), '$-1\r\n', 'still RESP2');
    });

    it('many who log in at once each get their own answer', async () => {
      const logins = [
        { login: ['alice', 'pw'], reply: OK, isNow: bulk('alice') },
        { login: ['alice', 'wrong'], reply: WRONGPASS, isNow: bulk('default') },
        { login: ['nobody', 'pw'], reply: WRONGPASS, isNow: bulk('default') },
      ] as const;
      const all = Array.from({ length: 51 }, (_, i) => logins[i % 3] as (typeof logins)[number]);
      await Promise.all(
        all.map(async ({ login, reply, isNow }) => {
          const client = await connect();
          const replies = await client.pipeline([
            ['AUTH', ...login],
            ['ACL', 'WHOAMI'],
          ]);
          assert.deepEqual(replies.map(String), [reply, isNow]);
        }),
      );
    });

    it('what is in flight ends as who it began, in the order sent', async () => {
      const client = await logIn('alice');
      const rounds = Array.from({ length: 50 }, (_, i) => [
        ['SET', K1, i],
        ['AUTH', 'reader', 'pw'],
        ['SET', K1, 'x'],
        ['GET', K1],
        ['AUTH', 'alice', 'pw'],
      ]);
      const replies = (await client.pipeline(rounds.flat())).map(String);
      const denied = replies[2] ?? '';
      assert.match(denied, noPermissionTo('set'));
      assert.deepEqual(
        replies,
        rounds.flatMap((_, i) => [OK, OK, denied, bulk(String(i)), OK]),
      );
    });

    it('another password means other connections, and the old one no longer logs in', async () => {
      await atNodes('ACL', 'SETUSER', 'carol', 'on', '>one', '~*', '+@all');
      const first = await logIn('carol', 'one');
      await first.text('DEL', K1);
      await atNodes('ACL', 'SETUSER', 'carol', 'resetpass', '>two');
      const late = await connect();
      assert.equal(await late.text('AUTH', 'carol', 'one'), WRONGPASS);
      assert.equal(await first.text('GET', K1), '$-1\r\n', 'as in Redis, a connection that is there stays in');
      assert.match(await first.text('GET', K2), /^-NOAUTH evalgate: no connection to .* \(login refused: WRONGPASS/);
      const second = await logIn('carol', 'two');
      await second.text('GET', K1);
      const pools = [...proxy.upstream.pools].filter(({ access }) => access.identity.displayName === 'carol');
      assert.equal(new Set(pools.map(({ access }) => access.identity)).size, 2);
    });

    it('a deleted user is refused, honestly and at once; nobody else notices; given back, it works again', async () => {
      await atNodes('ACL', 'SETUSER', 'dave', 'on', '>pw', '~*', '+@all');
      const [dave, alice] = [await logIn('dave'), await logIn('alice')];
      for (const key of KEYS) await dave.text('SET', key, 'v');
      await atNodes('ACL', 'DELUSER', 'dave');
      await waitFor('the nodes have closed its connections', () => connectionsOf('dave') === 0);
      const startMs = performance.now();
      for (const command of [
        ['GET', K1],
        ['SET', K2, 'x'],
        ['EVAL', 'return 1', '1', K3],
        ['DBSIZE'],
        ['RANDOMKEY'],
        ['GET', K1],
      ]) {
        const reply = await dave.text(...command);
        assert.match(
          reply,
          /^-NOAUTH evalgate: no connection to 127\.0\.0\.1:\d+ \(login refused: WRONGPASS [^)]*\), the command did not run/,
          command.join(' '),
        );
      }
      assert.ok(performance.now() - startMs < 2000);
      for (const key of KEYS) assert.equal(await alice.text('GET', key), bulk('v'));
      assert.equal(await (await connect()).text('GET', K1), bulk('v'));
      assert.equal(await dave.text('AUTH', 'dave', 'pw'), WRONGPASS);
      await atNodes('ACL', 'SETUSER', 'dave', 'on', '>pw', '~*', '+@all');
      await waitFor('it is let in again', async () => (await dave.text('GET', K1)) === bulk('v'));
    });

    it('the connections of a user whom nobody uses are closed, those of others are not', async () => {
      await atNodes('ACL', 'SETUSER', 'erin', 'on', '>pw', '~*', '+@all');
      const [erin, alice] = [await logIn('erin'), await logIn('alice')];
      await erin.text('GET', K1);
      await alice.text('GET', K1);
      assert.ok(connectionsOf('erin') > 0);
      erin.close();
      await waitFor('nobody uses erin', () => {
        proxy.upstream.closeUnused(performance.now() + 59_000);
        const inAMoment = connectionsOf('erin');
        proxy.upstream.closeUnused(performance.now() + 61_000);
        return inAMoment > 0 && connectionsOf('erin') === 0;
      });
      assert.ok(connectionsOf('alice') > 0);
    });
  });

  describe('what evalgate answers itself about all clients', () => {
    const COMMANDS: [name: string, args: Argument[]][] = [
      ['client|list', ['CLIENT', 'LIST']],
      ['client|kill', ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']],
      ['client|pause', ['CLIENT', 'PAUSE', '100', 'WRITE']],
      ['client|unblock', ['CLIENT', 'UNBLOCK', '999999']],
      ['slowlog|get', ['SLOWLOG', 'GET']],
      ['slowlog|len', ['SLOWLOG', 'LEN']],
    ];

    before(async () => {
      await atNodes('ACL', 'SETUSER', 'narrow', 'on', '>pw', '~*', '-@all', '+get');
      await atNodes('ACL', 'SETUSER', 'wide', 'on', '>pw', '~*', '+@all');
    });

    for (const [name, args] of COMMANDS) {
      it(`${args.join(' ')} is for those whom the nodes let`, async () => {
        const bystander = await connect();
        const narrow = await logIn('narrow');
        const denied = await narrow.text(...args);
        assert.match(denied, noPermissionTo(name));
        const replies = await narrow.pipeline([args, ['GET', `${K1}none`], args]);
        assert.deepEqual(replies.map(String), [denied, '$-1\r\n', denied]);
        assert.equal(await bystander.text('PING'), '+PONG\r\n', 'it lives');
        const wide = await logIn('wide');
        assert.doesNotMatch(await wide.text(...args), /^-/);
        assert.equal(await wide.text('CLIENT', 'UNPAUSE'), OK);
      });
    }
  });

  it('names are bounded', async () => {
    const client = await connect();
    const tooLong = error('ERR evalgate: a name longer than 1024 bytes');
    const name = 'n'.repeat(1025);
    assert.equal(await client.text('CLIENT', 'SETNAME', name), tooLong);
    assert.equal(await client.text('CLIENT', 'SETINFO', 'lib-name', name), tooLong);
    assert.equal(await client.text('HELLO', '2', 'SETNAME', name), tooLong);
    assert.equal(await client.text('CLIENT', 'SETNAME', name.slice(1)), OK);
  });

  describe('ACL and scripts', () => {
    let admin: RawClient;
    let nextBody = 0;
    const newBody = () => `return {KEYS[1], ${nextBody++}}`;
    const isMine = (key: string, body: string) => `*2\r\n${bulk(key)}:${/(\d+)}$/.exec(body)?.[1]}\r\n`;

    before(async () => {
      await atNodes('ACL', 'SETUSER', 'byeval', 'on', '>pw', '~*', '+eval', '+eval_ro', '+get');
      await atNodes('ACL', 'SETUSER', 'bysha', 'on', '>pw', '~*', '+evalsha', '+evalsha_ro', '+get');
      await atNodes('ACL', 'SETUSER', 'noload', 'on', '>pw', '~*', '+eval', '+evalsha', '+get');
    });
    beforeEach(async () => {
      admin = await connect();
    });

    async function flushPastProxy(): Promise<void> {
      await atNodes('SCRIPT', 'FLUSH');
    }

    it('EVAL of a user who may not EVALSHA goes up untouched', async () => {
      const client = await logIn('byeval');
      const body = newBody();
      assert.equal(await admin.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
      for (let i = 0; i < 4; i++)
        for (const key of KEYS) assert.equal(await client.text('EVAL', body, 1, key), isMine(key, body));
      const replies = await client.pipeline(Array.from({ length: 20 }, () => ['EVAL', body, 1, K1]));
      assert.deepEqual(new Set(replies.map(String)), new Set([isMine(K1, body)]));
      assert.equal(await client.text('EVAL_RO', body, 1, K1), isMine(K1, body));
      assert.match(await client.text('EVALSHA', shaOf(body), 1, K1), noPermissionTo('evalsha'));
    });

    it('scripts of a user who may only EVALSHA are loaded first, whoever flushed them', async () => {
      const client = await logIn('bysha');
      const body = newBody();
      await admin.text('SCRIPT', 'LOAD', body);
      for (let round = 0; round < 3; round++) {
        await flushPastProxy();
        const replies = await client.pipeline(
          KEYS.flatMap((key) => [
            ['EVALSHA', shaOf(body), 1, key],
            ['GET', key],
          ]),
        );
        KEYS.forEach((key, i) => {
          assert.equal(String(replies[2 * i]), isMine(key, body));
        });
      }
      assert.equal(await client.text('EVALSHA_RO', shaOf(body), 1, K1), isMine(K1, body));
      assert.match(await client.text('EVAL', body, 1, K1), noPermissionTo('eval'));
    });

    it('what such a user was not allowed to EVAL is not kept, and not loaded for it', async () => {
      const [client, other] = [await logIn('bysha'), await logIn('bysha')];
      const body = newBody();
      const replies = await client.pipeline([
        ['EVAL', body, 1, K1],
        ['EVALSHA', shaOf(body), 1, K1],
        ['EVAL', body, 1, K2],
        ['EVALSHA', shaOf(body), 1, K2],
      ]);
      assert.deepEqual(
        replies.map((reply) => reply.toString().split(' ', 1)[0]),
        ['-NOPERM', '-NOSCRIPT', '-NOPERM', '-NOSCRIPT'],
      );
      assert.equal(await other.text('EVALSHA', shaOf(body), 1, K1), NOSCRIPT);
      assert.equal(proxy.registry.findBySha(shaOf(body)), undefined);
      assert.equal(await admin.text('EVAL', body, 1, K1), isMine(K1, body));
      for (const key of KEYS)
        assert.equal(await other.text('EVALSHA', shaOf(body), 1, key), isMine(key, body), 'somebody was allowed to');
    });

    describe('inside MULTI', () => {
      let unchecked: ProxyServer;

      before(async () => {
        unchecked = await startProxy(cluster, { scripting: { script_check_enable: 0 } });
      });
      after(() => unchecked.stop());

      /** A user of its own: what evalgate learns of it, it learns in the test. */
      async function newUser(name: string, ...rights: string[]): Promise<RawClient> {
        await atNodes('ACL', 'SETUSER', name, 'on', '>pw', '~*', ...rights);
        return logIn(name, 'pw', unchecked);
      }

      async function loaded(): Promise<string> {
        const body = newBody();
        const loader = await connect(unchecked);
        assert.equal(await loader.text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
        return body;
      }

      const MULTI_BY_SHA = ['+evalsha', '+evalsha_ro', '+get', '+multi', '+exec', '+discard', '+watch'];

      it('C5: the scripts of a user who may only EVALSHA are on the node before EXEC, from the first time on', async () => {
        const client = await newUser('multi1', ...MULTI_BY_SHA);
        const [one, two] = [await loaded(), await loaded()];
        const transaction = [
          ['MULTI'],
          ['EVALSHA', shaOf(one), 1, K1],
          ['GET', `${K1}none`],
          ['EVALSHA_RO', shaOf(two), 1, K1],
          ['EXEC'],
        ];
        const expected = `*3\r\n${isMine(K1, one)}$-1\r\n${isMine(K1, two)}`;
        for (let round = 0; round < 3; round++) {
          await flushPastProxy();
          const atOnce = (await client.pipeline(transaction)).map(String);
          assert.deepEqual(atOnce, [OK, QUEUED, QUEUED, QUEUED, expected]);
          await flushPastProxy();
          const oneByOne: string[] = [];
          for (const words of transaction) oneByOne.push(await client.text(...words));
          assert.deepEqual(oneByOne, atOnce);
        }
      });

      it('C5: also when a node refuses the body that went up for another client of that user', async () => {
        const [one, two] = [await newUser('multi2', ...MULTI_BY_SHA), await logIn('multi2', 'pw', unchecked)];
        const body = await loaded();
        const transaction = [['MULTI'], ['EVALSHA', shaOf(body), 1, K2], ['EXEC']];
        const replies = await Promise.all([one.pipeline(transaction), two.pipeline(transaction)]);
        for (const reply of replies) assert.deepEqual(reply.map(String), [OK, QUEUED, `*1\r\n${isMine(K2, body)}`]);
      });

      it('a watch does not outlive the first refusal of a body, and works from then on', async () => {
        const client = await newUser('multi3', ...MULTI_BY_SHA);
        const body = await loaded();
        const watched = [['WATCH', K1], ['MULTI'], ['EVALSHA', shaOf(body), 1, K1], ['EXEC']];
        assert.deepEqual((await client.pipeline(watched)).map(String), [OK, OK, QUEUED, '*-1\r\n']);
        assert.deepEqual((await client.pipeline(watched)).map(String), [OK, OK, QUEUED, `*1\r\n${isMine(K1, body)}`]);
      });

      it('who may not SCRIPT LOAD, or may no script at all, is told what the node says', async () => {
        const noload = await newUser('multi4', '+eval', '+evalsha', '+multi', '+exec');
        const body = await loaded();
        const transaction = [['MULTI'], ['EVALSHA', shaOf(body), 1, K3], ['EXEC']];
        for (let round = 0; round < 2; round++) {
          await flushPastProxy();
          assert.equal(await noload.text('EVAL', body, 1, K1), isMine(K1, body));
          await flushPastProxy();
          const replies = (await noload.pipeline(transaction)).map(String);
          assert.deepEqual(replies, [OK, QUEUED, `*1\r\n${isMine(K3, body)}`]);
        }
        const none = await newUser('multi5', '+get', '+multi', '+exec');
        const [, denied, exec] = (await none.pipeline(transaction)).map(String);
        assert.equal(denied, error("NOPERM this user has no permissions to run the 'evalsha' command"));
        assert.equal(exec, error('EXECABORT Transaction discarded because of previous errors.'));
      });

      it('what such a user was not allowed to EVAL is not loaded for it', async () => {
        const client = await newUser('multi6', ...MULTI_BY_SHA);
        const body = newBody();
        assert.match(await client.text('EVAL', body, 1, K1), /^-NOPERM/);
        const replies = await client.pipeline([['MULTI'], ['EVALSHA', shaOf(body), 1, K1], ['EXEC']]);
        assert.deepEqual(replies.map(String), [OK, QUEUED, `*1\r\n${NOSCRIPT}`]);
      });
    });

    it('a user who may not SCRIPT LOAD runs loaded scripts all the same', async () => {
      const client = await logIn('noload');
      const body = newBody();
      await admin.text('SCRIPT', 'LOAD', body);
      for (let round = 0; round < 3; round++) {
        await flushPastProxy();
        assert.equal(await client.text('EVAL', body, 1, K1), isMine(K1, body));
        await flushPastProxy();
        assert.equal(await client.text('EVALSHA', shaOf(body), 1, K1), isMine(K1, body));
      }
    });

    it('a script that only says NOPERM runs once', async () => {
      const client = await logIn('noload');
      const body =
        "redis.call('GET', KEYS[1]) return redis.error_reply(\"NOPERM this user has no permissions to run the 'evalsha' command\")";
      const counted = await proxyWithoutChecks();
      const own = await logIn('alice', 'pw', counted);
      const count =
        "redis.call('INCR', KEYS[1]) return redis.error_reply(\"NOPERM this user has no permissions to run the 'evalsha' command\")";
      await own.text('SET', K3, 0);
      for (let i = 0; i < 4; i++) assert.match(await own.text('EVAL', count, 1, K3), /^-NOPERM this user has/);
      assert.equal(await own.text('GET', K3), bulk('4'));
      for (let i = 0; i < 3; i++) assert.match(await client.text('EVAL', body, 1, K1), /^-NOPERM this user has/);
      await counted.stop();
    });

    function proxyWithoutChecks(): Promise<ProxyServer> {
      return startProxy(cluster, { scripting: { script_check_enable: 0 } });
    }

    it('SCRIPT commands obey the ACL, also where evalgate could answer', async () => {
      const client = await logIn('bysha');
      const body = newBody();
      await admin.text('SCRIPT', 'LOAD', body);
      const denied = (name: string) => noPermissionTo(`script|${name}`);
      assert.match(await client.text('SCRIPT', 'EXISTS', shaOf(body)), denied('exists'));
      assert.match(await client.text('SCRIPT', 'LOAD', newBody()), denied('load'));
      assert.match(await client.text('SCRIPT', 'KILL'), denied('kill'));
      assert.match(await client.text('SCRIPT', 'FLUSH'), denied('flush'));
      assert.ok(proxy.registry.findBySha(shaOf(body)), 'nothing was flushed here');
      assert.equal(await admin.text('SCRIPT', 'EXISTS', shaOf(body)), '*1\r\n:1\r\n');
      const alice = await logIn('alice');
      assert.equal(await alice.text('SCRIPT', 'EXISTS', shaOf(body)), '*1\r\n:1\r\n');
      assert.equal(await alice.text('SCRIPT', 'KILL'), error('NOTBUSY No scripts in execution right now.'));
      assert.equal(await alice.text('SCRIPT', 'FLUSH'), OK);
      assert.equal(proxy.registry.findBySha(shaOf(body)), undefined);
    });
  });
});

describe('nodes that need a login', () => {
  let cluster: LocalCluster;
  let proxy: ProxyServer;
  let client: RawClient;
  const NOAUTH = error('NOAUTH Authentication required.');

  before(async () => {
    cluster = await LocalCluster.start({ replicas: 0, nodeTimeoutMs: 15_000 });
    await Promise.all(cluster.masters.map((node) => node.client().call('CONFIG', 'SET', 'requirepass', 'secret')));
    proxy = await startProxy(cluster, { cluster: { password: 'secret' } });
  });
  after(async () => {
    client.close();
    await proxy.stop();
    await cluster.stop();
  });
  beforeEach(async () => {
    client?.close();
    client = await RawClient.connect(proxy.address.port);
  });

  it("do not get the proxy's own login lent to a client", async () => {
    const body = "return redis.call('SET', KEYS[1], 'stolen')";
    const commands = [
      ['PING'],
      ['GET', K1],
      ['SET', K1, 'v'],
      ['FLUSHALL'],
      ['KEYS', '*'],
      ['SCRIPT', 'LOAD', body],
      ['EVAL', body, 1, K1],
      ['CONFIG', 'GET', 'requirepass'],
      ['ACL', 'WHOAMI'],
      ['CLIENT', 'ID'],
      ['SUBSCRIBE', 'c'],
    ];
    const replies = await client.pipeline(commands);
    assert.deepEqual(new Set(replies.map(String)), new Set([NOAUTH]));
    assert.match(await client.text('HELLO', 3), /^-NOAUTH HELLO must be called/);
    assert.equal(await client.text('RESET'), '+RESET\r\n');
    assert.equal(proxy.registry.findBySha(shaOf(body)), undefined);
    assert.equal(await client.text('AUTH', 'wrong'), WRONGPASS);
    assert.equal(await client.text('PING'), NOAUTH);
    assert.equal(await client.text('AUTH', 'secret'), OK);
    assert.equal(await client.text('SET', K1, 'v'), OK);
    assert.equal(await client.text('RESET'), '+RESET\r\n');
    assert.equal(await client.text('GET', K1), NOAUTH);
  });

  it('requests are small before the login', async () => {
    client.send('*11\r\n');
    const [reply] = await client.repliesUntilEnd();
    assert.equal(String(reply), error('ERR Protocol error: unauthenticated multibulk length'));
  });

  it('RESP3 with the login in HELLO', async () => {
    assert.match(await client.text('HELLO', 3, 'AUTH', 'default', 'secret'), /^%7/);
    assert.equal(await client.text('GET', 'nothing'), '_\r\n');
  });

  it('that change their mind are believed: asked again at each refresh', async () => {
    const setPassword = (password: string) =>
      Promise.all(cluster.masters.map((node) => node.client().call('CONFIG', 'SET', 'requirepass', password)));
    await setPassword('');
    await waitFor('everybody is let in', async () => {
      await proxy.refresh(undefined);
      return (await client.text('PING')) === '+PONG\r\n';
    });
    await setPassword('secret');
    await waitFor('nobody is', async () => {
      await proxy.refresh(undefined);
      return (await client.text('PING')) === NOAUTH;
    });
  });
});
