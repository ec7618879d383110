/**
 * SCRIPT and FUNCTION over the whole cluster (SPEC 4): one reply that is true for all nodes, and a way to get rid of a
 * script that does not end while the other shards go on.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import { type Argument, RawClient } from '../support/client.ts';
import { freeze, tagInSlot, thaw, waitFor } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { NOSCRIPT } from '../support/versions.ts';

const [K1, K2, K3] = [100, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`) as [string, string, string];
const OK = '+OK\r\n';
const UNKNOWN = 'f'.repeat(40);

function shaOf(body: string): string {
  return createHash('sha1').update(body).digest('hex');
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function library(name: string, body = "return redis.call('INCR', keys[1])"): string {
  return `#!lua name=${name}\nredis.register_function('${name}', function(keys, args) ${body} end)`;
}

describe('SCRIPT and FUNCTION', () => {
  let gateway: Gateway;
  let client: RawClient;
  let masters: readonly LocalNode[];
  let nextBody = 0;
  const text = (...args: Argument[]) => client.text(...args);

  before(async () => {
    const config = { 'lua-time-limit': '50' };
    gateway = await Gateway.start({ replicas: 0, nodeTimeoutMs: 30_000, config });
    masters = gateway.cluster.masters;
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });
  beforeEach(async () => {
    client?.close();
    client = await RawClient.connect(gateway.port);
  });

  function newBody(): string {
    return `return ${nextBody++}`;
  }

  /** What each master says to SCRIPT EXISTS. */
  function whoHas(sha: string): Promise<unknown[]> {
    return Promise.all(masters.map(async (node) => ((await node.client().script('EXISTS', sha)) as unknown[])[0]));
  }

  describe('SCRIPT LOAD', () => {
    it('loads on every master, and answers the sha in lower case', async () => {
      const body = newBody();
      assert.equal(await text('script', 'load', body), bulk(shaOf(body)));
      assert.deepEqual(await whoHas(shaOf(body)), [1, 1, 1]);
    });

    it('refuses what does not compile in the words of the node, and forgets it', async () => {
      const body = 'nor is this lua';
      assert.match(await text('SCRIPT', 'LOAD', body), /^-ERR Error compiling script \(new function\): user_script:1:/);
      assert.equal(await text('EVALSHA', shaOf(body), 1, K1), NOSCRIPT);
    });

    it('says when the registry is full, and loads nothing', async (t) => {
      const small = await startProxy(gateway.cluster, { scripting: { registry_max_bytes: 4096 } });
      const other = await RawClient.connect(small.address.port);
      t.after(async () => {
        other.close();
        await small.stop();
      });
      const bodies = [1, 2, 3].map((i) => `return ${i} --${'x'.repeat(1000)}`);
      const [one = '', two = '', three = ''] = bodies;
      assert.equal(await other.text('SCRIPT', 'LOAD', one), bulk(shaOf(one)));
      assert.equal(await other.text('SCRIPT', 'LOAD', two), bulk(shaOf(two)));
      const full = '-ERR evalgate: script registry is full (registry_max_bytes)\r\n';
      assert.equal(await other.text('SCRIPT', 'LOAD', three), full);
      assert.deepEqual(await whoHas(shaOf(three)), [0, 0, 0]);
      assert.equal(await other.text('SCRIPT', 'LOAD', one), bulk(shaOf(one)), 'a script that is held needs no room');
      assert.equal(await other.text('EVAL', three, 1, K1), ':3\r\n');
    });
  });

  it('SCRIPT EXISTS: what evalgate can run, or every master has', async () => {
    const [known, everywhere, somewhere] = [newBody(), newBody(), newBody()];
    await text('EVAL', known, 1, K1);
    for (const node of masters) await node.client().script('LOAD', everywhere);
    await masters[0]?.client().script('LOAD', somewhere);
    const shas = [known, everywhere, somewhere].map(shaOf);
    assert.equal(await text('SCRIPT', 'EXISTS', ...shas, UNKNOWN, 'x'), '*5\r\n:1\r\n:1\r\n:0\r\n:0\r\n:0\r\n');
    assert.equal(await text('SCRIPT', 'EXISTS', shaOf(known).toUpperCase()), '*1\r\n:1\r\n');
    assert.equal(await text('SCRIPT', 'EXISTS'), "-ERR wrong number of arguments for 'script|exists' command\r\n");
  });

  describe('SCRIPT FLUSH', () => {
    for (const options of [[], ['SYNC'], ['async']]) {
      it(`${options.join('') || 'alone'}: every node and the registry; then EVALSHA says NOSCRIPT`, async () => {
        const body = newBody();
        await client.pipeline([K1, K2, K3].map((key) => ['EVAL', body, 1, key]));
        const replies = await client.pipeline([
          ['EVALSHA', shaOf(body), 1, K1],
          ['SCRIPT', 'FLUSH', ...options],
          ['EVALSHA', shaOf(body), 1, K1],
          ['EVALSHA', shaOf(body), 1, K2],
          ['SCRIPT', 'EXISTS', shaOf(body)],
        ]);
        assert.deepEqual(replies.map(String).slice(1), [OK, NOSCRIPT, NOSCRIPT, '*1\r\n:0\r\n']);
        assert.deepEqual(await whoHas(shaOf(body)), [0, 0, 0]);
        assert.equal(gateway.proxy.registry.count, 0);
      });
    }

    it('with a bad option flushes nothing', async () => {
      const body = newBody();
      await text('EVAL', body, 1, K1);
      const bad = '-ERR SCRIPT FLUSH only support SYNC|ASYNC option\r\n';
      assert.equal(await text('SCRIPT', 'FLUSH', 'LATER'), bad);
      assert.equal(await text('SCRIPT', 'FLUSH', 'SYNC', 'ASYNC'), bad);
      assert.match(await text('EVALSHA', shaOf(body), 1, K2), /^:/);
    });

    it('names a master that does not answer, and flushes it when it is back', async () => {
      const body = newBody();
      await client.pipeline([K1, K2, K3].map((key) => ['EVAL', body, 1, key]));
      const [, node] = masters;
      assert.ok(node);
      freeze(node);
      try {
        const missed = `-ERR evalgate: SCRIPT FLUSH did not reach ${node.address}, flushed when back; all other nodes are flushed\r\n`;
        assert.equal(await text('SCRIPT', 'FLUSH'), missed);
        assert.equal(await text('EVALSHA', shaOf(body), 1, K1), NOSCRIPT);
      } finally {
        thaw(node);
      }
      await waitFor('it is flushed', async () => (await whoHas(shaOf(body))).every((held) => held === 0));
      await waitFor('nothing is owed', () => !gateway.proxy.upstream.factsOf(nodeOf(node)).owesFlush);
    });

    function nodeOf({ address }: LocalNode) {
      const found = [...gateway.proxy.topology.nodes.values()].find((node) => node.address === address);
      assert.ok(found);
      return found;
    }
  });

  it('SCRIPT DEBUG is refused, whatever its arguments', async () => {
    for (const args of [[], ['YES'], ['NO'], ['SYNC', 'x'], ['bogus']]) {
      assert.equal(await text('SCRIPT', 'DEBUG', ...args), '-ERR script debug not support\r\n');
    }
  });

  it('SCRIPT HELP and unknown subcommands get the words of the node', async () => {
    assert.match(await text('SCRIPT', 'BOGUS'), /^-ERR unknown subcommand 'BOGUS'\. Try SCRIPT HELP\.\r\n$/);
    assert.match(await text('SCRIPT', 'HELP'), /^\*\d+\r\n\+SCRIPT <subcommand>/);
  });

  describe('FUNCTION', () => {
    it('LOAD, LIST, DELETE, DUMP, FLUSH and RESTORE concern every master', async () => {
      assert.equal(await text('FUNCTION', 'LOAD', library('one')), bulk('one'));
      for (const [i, key] of [K1, K2, K3].entries()) {
        await client.command('DEL', key);
        assert.equal(await text('FCALL', 'one', 1, key), ':1\r\n', `master ${i}`);
      }
      assert.match(await text('FUNCTION', 'LIST'), /library_name\r\n\$3\r\none/);
      assert.equal(await text('FUNCTION', 'LOAD', library('one')), "-ERR Library 'one' already exists\r\n");
      assert.equal(await text('FUNCTION', 'LOAD', 'REPLACE', library('one')), bulk('one'));
      assert.match(await text('FUNCTION', 'LOAD', 'nothing'), /^-ERR Missing library metadata/);
      const dump = await client.command('FUNCTION', 'DUMP');
      const payload = dump.subarray(dump.indexOf('\r\n') + 2, -2);
      assert.equal(await text('FUNCTION', 'DELETE', 'one'), OK);
      assert.equal(await text('FUNCTION', 'DELETE', 'one'), '-ERR Library not found\r\n');
      assert.equal(await text('FUNCTION', 'RESTORE', payload), OK);
      for (const key of [K1, K2, K3]) assert.equal(await text('FCALL', 'one', 1, key), ':2\r\n');
      assert.equal(await text('FUNCTION', 'FLUSH'), OK);
      for (const key of [K1, K2, K3]) assert.equal(await text('FCALL', 'one', 1, key), '-ERR Function not found\r\n');
    });

    it('FCALL and FCALL_RO: one slot, or the text that says so; all else is for the node to judge', async () => {
      await text('FUNCTION', 'LOAD', 'REPLACE', library('two'));
      assert.equal(await text('FCALL', 'two', 2, K1, K2), "-ERR 'FCALL' command keys must in same slot\r\n");
      assert.equal(await text('fcall_ro', 'two', 2, K1, K2), "-ERR 'FCALL_RO' command keys must in same slot\r\n");
      assert.match(await text('FCALL_RO', 'two', 1, K1), /^-ERR Can not execute a script with write flag using \*_ro/);
      assert.match(await text('FCALL', 'two', 'x', K1), /^-ERR Bad number of keys provided\r\n$/);
      assert.match(await text('FCALL', 'two', 2, K1), /^-ERR Number of keys can't be greater than number of args\r\n$/);
      assert.match(await text('FCALL', 'two'), /^-ERR wrong number of arguments for 'fcall' command\r\n$/);
    });
  });

  describe('a script that does not end', () => {
    async function start(...call: Argument[]): Promise<RawClient> {
      const runner = await RawClient.connect(gateway.port);
      runner.send(`*${call.length}\r\n${call.map((argument) => bulk(String(argument))).join('')}`);
      await waitFor('the node is busy', async () => {
        const reply: unknown = await masters[0]?.client().ping().catch(String);
        return String(reply).includes('BUSY');
      });
      return runner;
    }

    it('SCRIPT KILL and FUNCTION KILL without one get the words of the node', async () => {
      assert.equal(await text('SCRIPT', 'KILL'), '-NOTBUSY No scripts in execution right now.\r\n');
      assert.equal(await text('FUNCTION', 'KILL'), '-NOTBUSY No scripts in execution right now.\r\n');
    });

    it('others get BUSY from its node, right answers from all others, and SCRIPT KILL ends it', async () => {
      const runner = await start('EVAL', 'while true do end', 1, K1);
      const node = await RawClient.connect(masters[0]?.port ?? 0);
      const busy = await node.text('GET', K1);
      node.close();
      assert.match(busy, /^-BUSY /);
      assert.equal(await text('GET', K1), busy);
      const replies = await client.pipeline([
        ['SET', K2, 'v'],
        ['GET', K2],
        ['SET', K3, 'v'],
        ['EVAL', 'return 7', 1, K3],
      ]);
      assert.deepEqual(replies.map(String), [OK, bulk('v'), OK, ':7\r\n']);
      assert.equal(await text('FUNCTION', 'KILL'), busy, 'no function runs');
      assert.equal(await text('SCRIPT', 'KILL'), OK);
      assert.match(
        (await runner.reply()).toString(),
        /^-ERR (Error running script .*)?Script killed by user with SCRIPT KILL/,
      );
      assert.equal(await runner.text('SET', K1, 'free'), OK);
      assert.equal(await text('GET', K1), bulk('free'));
      runner.close();
    });

    it('FUNCTION KILL ends a function', async () => {
      await text('FUNCTION', 'LOAD', 'REPLACE', library('endless', 'while true do end'));
      const runner = await start('FCALL', 'endless', 1, K1);
      assert.match(await text('SCRIPT', 'KILL'), /^-BUSY /);
      assert.equal(await text('FUNCTION', 'KILL'), OK);
      assert.match(
        (await runner.reply()).toString(),
        /^-ERR (Error running script .*)?Script killed by user with (FUNCTION|SCRIPT) KILL/,
      );
      runner.close();
    });

    // The last one: its master does not survive it.
    it('SCRIPT KILL says UNKILLABLE when it has written', async () => {
      const runner = await start('EVAL', "redis.call('SET', KEYS[1], 1) while true do end", 1, K1);
      assert.match(await text('SCRIPT', 'KILL'), /^-UNKILLABLE Sorry the script already executed write commands/);
      assert.equal(await text('SET', K2, 'v'), OK);
      const [node] = masters;
      assert.ok(node);
      await gateway.cluster.stopNode(node, 'SIGKILL');
      const lost = `-ERR evalgate: connection to ${node.address} lost before the reply, the command may have run or may still run\r\n`;
      assert.equal((await runner.reply()).toString(), lost);
      runner.close();
    });
  });
});
