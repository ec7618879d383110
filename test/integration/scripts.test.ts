/**
 * C5 and SPEC 3 over the wire: the order in which script calls are judged, where they go, in which form, and that no
 * client ever sees a NOSCRIPT for a script that evalgate was shown.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { LocalNode } from '../../src/control/local-cluster.ts';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { type Argument, RawClient } from '../support/client.ts';
import { tagInSlot } from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { NOSCRIPT } from '../support/versions.ts';

const COUNT = "return redis.call('INCR', KEYS[1])";
/** One key on each master. */
const KEYS = [100, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`);
const [K1 = '', K2 = '', K3 = ''] = KEYS;
const UNKNOWN = 'f'.repeat(40);

function shaOf(body: string): string {
  return createHash('sha1').update(body).digest('hex');
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

describe('scripts', () => {
  let gateway: Gateway;
  let routing: ProxyServer;
  let client: RawClient;
  let nextBody = 0;
  const text = (...args: Argument[]) => client.text(...args);

  before(async () => {
    gateway = await Gateway.start({ replicas: 0, nodeTimeoutMs: 15_000 }, { scripting: { script_check_enable: 0 } });
    routing = await startProxy(gateway.cluster, {
      scripting: { script_check_enable: 0, keyless_scripts: 'route', eval_to_evalsha: false },
    });
  });
  after(async () => {
    client.close();
    await routing.stop();
    await gateway.stop();
  });
  beforeEach(async () => {
    client?.close();
    client = await RawClient.connect(gateway.port);
    await client.command('FLUSHALL');
  });

  function newBody(body = COUNT): string {
    return `${body} -- ${nextBody++}`;
  }

  async function load(body: string): Promise<string> {
    assert.equal(await text('SCRIPT', 'LOAD', body), bulk(shaOf(body)));
    return shaOf(body);
  }

  async function flushBehindTheBack(): Promise<void> {
    for (const node of gateway.cluster.masters) await node.client().script('FLUSH');
  }

  /** How often the node ran a command since the last CONFIG RESETSTAT. */
  async function callsOf(node: LocalNode, command: string): Promise<number> {
    const stats = await node.client().info('commandstats');
    return Number(new RegExp(`^cmdstat_${command.replace('|', '\\|')}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
  }

  describe('are judged in this order', () => {
    const integer = '-ERR value is not an integer or out of range\r\n';
    const keyless = "-ERR for redis cluster, eval/evalsha number of keys can't be negative or zero\r\n";
    const tooMany = "-ERR Number of keys can't be greater than number of args\r\n";
    for (const command of ['EVAL', 'EVALSHA', 'EVAL_RO', 'EVALSHA_RO', 'evAL']) {
      const what = command.toLowerCase().startsWith('evalsha') ? UNKNOWN : 'return 1';
      const arity = `-ERR wrong number of arguments for '${command.toLowerCase()}' command\r\n`;
      const sameSlot = `-ERR '${command.toUpperCase()}' command keys must in same slot\r\n`;
      const cases: [args: Argument[], reply: string][] = [
        [[], arity],
        [[what], arity],
        [[what, 'x'], integer],
        [[what, 'x', K1, K2], integer],
        [[what, '1.5', K1], integer],
        [[what, '', K1], integer],
        [[what, ' 1', K1], integer],
        [[what, '99999999999999999999', K1], integer],
        [[what, 0], keyless],
        [[what, 0, K1, K2], keyless],
        [[what, -1, K1], keyless],
        [[what, 1], tooMany],
        [[what, 3, K1, K2], tooMany],
        [[what, '9223372036854775807', K1], tooMany],
        [[what, 2, K1, K2], sameSlot],
        [[what, 3, K1, K1, K2, 'arg'], sameSlot],
      ];
      it(`${command}: arity, integer, keyless, too many, same slot`, async () => {
        const replies = await client.pipeline(cases.map(([args]) => [command, ...args]));
        assert.deepEqual(
          replies.map(String),
          cases.map(([, reply]) => reply),
        );
      });
    }

    it('keyless_scripts route: 0 passes, a negative number does not', async () => {
      const other = await RawClient.connect(routing.address.port);
      assert.equal(await other.text('EVAL', 'return #ARGV', 0, 'a', 'b'), ':2\r\n');
      assert.equal(await other.text('EVAL', 'return 1', -1), "-ERR Number of keys can't be negative\r\n");
      assert.equal(await other.text('EVALSHA', UNKNOWN, -1, 'a'), "-ERR Number of keys can't be negative\r\n");
      assert.equal(await other.text('EVAL', 'return 1', 1), tooMany);
      other.close();
    });
  });

  it('keyless_scripts route: the same script goes to the same node, different ones to all of them', async () => {
    const other = await RawClient.connect(routing.address.port);
    const ports = new Set<string>();
    for (let i = 0; i < 30; i++) {
      const body = newBody("return string.match(redis.call('INFO', 'server'), 'tcp_port:(%d+)')");
      const sha = shaOf(body);
      const forms = [body, body, sha, sha.toUpperCase()].map((name) => [name === body ? 'EVAL' : 'EVALSHA', name, 0]);
      const seen = new Set((await other.pipeline(forms)).map(String));
      assert.equal(seen.size, 1);
      for (const port of seen) ports.add(port);
    }
    assert.deepEqual(ports, new Set(gateway.cluster.masters.map(({ port }) => bulk(String(port)))));
    other.close();
  });

  describe('are known from then on', () => {
    it('by SCRIPT LOAD, on every shard and in upper case', async () => {
      const sha = await load(newBody());
      for (const key of KEYS) assert.equal(await text('EVALSHA', sha.toUpperCase(), 1, key), ':1\r\n');
      assert.equal(
        await text('EVALSHA_RO', await load(newBody("return redis.call('GET', KEYS[1])")), 1, K1),
        bulk('1'),
      );
    });

    it('by EVAL of one client, for an EVALSHA of another on another node', async () => {
      const body = newBody();
      assert.equal(await text('EVAL', body, 1, K1), ':1\r\n');
      const other = await RawClient.connect(gateway.port);
      assert.equal(await other.text('EVALSHA', shaOf(body), 1, K2), ':1\r\n');
      assert.equal(await other.text('EVALSHA', shaOf(body).toUpperCase(), 1, K3), ':1\r\n');
      other.close();
    });

    it('by EVAL and EVALSHA in one pipeline', async () => {
      const body = newBody();
      const replies = await client.pipeline([
        ['EVAL', body, 1, K1],
        ...KEYS.map((key) => ['EVALSHA', shaOf(body), 1, key]),
      ]);
      assert.deepEqual(replies.map(String), [':1\r\n', ':2\r\n', ':1\r\n', ':1\r\n']);
    });

    it('but not when they do not compile: the node says why, and EVALSHA says NOSCRIPT', async () => {
      const body = newBody('this is no lua');
      const [one, two, three] = await client.pipeline([
        ['EVAL', body, 1, K1],
        ['EVAL', body, 1, K1],
        ['EVAL', body, 1, K2],
      ]);
      assert.match(String(one), /^-ERR Error compiling script \(new function\): user_script:1: /);
      assert.deepEqual(two, one);
      assert.deepEqual(three, one);
      assert.equal(gateway.proxy.registry.findBySha(shaOf(body)), undefined);
      assert.equal(await text('EVALSHA', shaOf(body), 1, K1), NOSCRIPT);
    });

    it("nobody's sha gets the node's own NOSCRIPT", async () => {
      const node = await RawClient.connect(gateway.cluster.masters[0]?.port ?? 0);
      const own = await node.text('EVALSHA', UNKNOWN, 1, K1);
      node.close();
      assert.equal(await text('EVALSHA', UNKNOWN, 1, K1), own);
      assert.equal(await text('EVALSHA', 'short', 1, K1), own);
    });
  });

  describe('never say NOSCRIPT', () => {
    it('prevented: the first EVALSHA on each node goes up with the body', async () => {
      const sha = await load(newBody());
      await flushBehindTheBack();
      const { noscriptPrevented, noscriptHealed } = gateway.proxy.counters;
      for (const key of KEYS) assert.equal(await text('EVALSHA', sha, 1, key), ':1\r\n');
      assert.ok(gateway.proxy.counters.noscriptPrevented >= noscriptPrevented + 3);
      assert.equal(gateway.proxy.counters.noscriptHealed, noscriptHealed);
    });

    it('healed: after a SCRIPT FLUSH behind the back, for both origins and all forms', async () => {
      const loaded = await load(newBody());
      const body = newBody();
      for (const key of KEYS)
        await client.pipeline([
          ['EVALSHA', loaded, 1, key],
          ['EVAL', body, 1, key],
          ['EVAL', body, 1, key],
        ]);
      for (const call of [
        ['EVALSHA', loaded],
        ['EVALSHA', shaOf(body)],
        ['EVAL', body],
      ]) {
        await flushBehindTheBack();
        for (const key of KEYS) assert.match(await text(...call, 1, key), /^:\d+\r\n$/);
      }
      await flushBehindTheBack();
      const read = await load(newBody("return redis.call('GET', KEYS[1])"));
      for (const _ of [1, 2]) assert.equal(await text('EVALSHA_RO', read, 1, K1), bulk('6'));
      await flushBehindTheBack();
      assert.equal(await text('EVALSHA_RO', read, 1, K1), bulk('6'));
      assert.ok(gateway.proxy.counters.noscriptHealed > 0);
    });

    it('healed in a pipeline of 200 over all nodes: each runs once, in order', async () => {
      const sha = await load(newBody());
      await client.pipeline(KEYS.map((key) => ['EVALSHA', sha, 1, key]));
      await flushBehindTheBack();
      const replies = await client.pipeline(
        Array.from({ length: 200 }, (_, i) => ['EVALSHA', sha, 1, KEYS[i % 3] ?? '']),
      );
      assert.deepEqual(
        replies.map(String),
        Array.from({ length: 200 }, (_, i) => `:${2 + Math.floor(i / 3)}\r\n`),
      );
    });

    for (const kilobytes of [1, 40, 200]) {
      it(`while somebody flushes the nodes in a loop, with a body of ${kilobytes} KB`, async () => {
        const padding = '-'.repeat(kilobytes * 1024);
        const loaded = await load(newBody(`${COUNT} --${padding}`));
        const body = newBody(`${COUNT} --${padding}`);
        await text('EVAL', body, 1, K1);
        let isFlushing = true;
        const flushing = (async () => {
          while (isFlushing) await flushBehindTheBack();
        })();
        const replies: Buffer[] = [];
        for (let round = 0; round < 30; round++) {
          const calls = KEYS.flatMap((key) => [
            ['EVALSHA', loaded, 1, key],
            ['EVALSHA', shaOf(body), 1, key],
          ]);
          replies.push(...(await client.pipeline([...calls, ['EVAL', body, 1, K1]])));
        }
        isFlushing = false;
        await flushing;
        assert.deepEqual(
          replies.map(String).filter((reply) => !/^:\d+\r\n$/.test(reply)),
          [],
        );
        assert.equal(await text('GET', K2), bulk('60'));
      });
    }

    it('a body that contains the text NOSCRIPT always goes up as EVAL, and what it returns is delivered', async () => {
      const body = newBody(
        "return redis.call('INCR', KEYS[1]) > 2 and redis.error_reply('NOSCRIPT mine') or 'NOSCRIPT'",
      );
      const sha = await load(body);
      const replies = await client.pipeline(Array(4).fill(['EVALSHA', sha, 1, K1]));
      assert.deepEqual(replies.map(String), [
        bulk('NOSCRIPT'),
        bulk('NOSCRIPT'),
        '-NOSCRIPT mine\r\n',
        '-NOSCRIPT mine\r\n',
      ]);
      assert.equal(await text('GET', K1), bulk('4'));
    });
  });

  describe('go up in the form that costs least', () => {
    let node: LocalNode;
    beforeEach(async () => {
      node = gateway.cluster.masters[0] as LocalNode;
      await node.client().config('RESETSTAT');
    });

    it('EVAL as EVALSHA from the second use on', async () => {
      const body = newBody();
      for (let i = 1; i <= 5; i++) assert.equal(await text('EVAL', body, 1, K1), `:${i}\r\n`);
      assert.equal(await callsOf(node, 'eval'), 1);
      assert.equal(await callsOf(node, 'evalsha'), 4);
      assert.equal(await callsOf(node, 'script|load'), 0);
    });

    it('EVAL as it came with eval_to_evalsha: false', async () => {
      const other = await RawClient.connect(routing.address.port);
      const body = newBody();
      for (let i = 1; i <= 5; i++) assert.equal(await other.text('EVAL', body, 1, K1), `:${i}\r\n`);
      assert.equal(await callsOf(node, 'eval'), 5);
      other.close();
    });

    it('a script of LOAD origin with SCRIPT LOAD before the EVAL, so that the node keeps it', async () => {
      const sha = await load(newBody());
      await node.client().config('RESETSTAT');
      for (let i = 1; i <= 3; i++) assert.equal(await text('EVALSHA', sha, 1, K1), `:${i}\r\n`);
      assert.equal(await callsOf(node, 'script|load'), 1);
      assert.equal(await callsOf(node, 'eval'), 1);
      assert.equal(await callsOf(node, 'evalsha'), 2);
    });

    it('with the body again after an error, because the node may lack it', async () => {
      const body = newBody('return redis.call(ARGV[1], KEYS[1])');
      for (const command of ['NOSUCH', 'INCR', 'INCR']) await text('EVAL', body, 1, K1, command);
      assert.equal(await callsOf(node, 'eval'), 2);
      assert.equal(await callsOf(node, 'evalsha'), 1);
    });
  });
});
