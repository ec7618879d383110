/**
 * Functions over the whole cluster: STATS of the node that is busy, and masters that lack what the others have.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { LocalCluster, type LocalNode } from '../../src/control/local-cluster.ts';
import { type Argument, encodeCommand, RawClient } from '../support/client.ts';
import { moveSlots, tagInSlot, waitFor } from '../support/cluster.ts';
import { bulk, Stand } from '../support/stand.ts';

const [K1, K2, K3] = [100, 6000, 12_000].map((slot) => `${tagInSlot(slot)}k`) as [string, string, string];
const NOT_FOUND = '-ERR Function not found\r\n';
const COUNT = "return redis.call('INCR', keys[1])";
const SPIN = 'while true do end';

function library(name: string, body = COUNT): string {
  return `#!lua name=${name}\nredis.register_function('${name}', function(keys, args) ${body} end)`;
}

describe('functions', () => {
  let cluster: LocalCluster;
  let stand: Stand;
  let masters: readonly LocalNode[];
  const text = (...args: Argument[]) => stand.text(...args);

  before(async () => {
    const config = { 'lua-time-limit': '50' };
    cluster = await LocalCluster.start({ replicas: 0, nodeTimeoutMs: 30_000, config });
    masters = cluster.masters;
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    for (const node of cluster.nodes) await node.client().call('FUNCTION', 'FLUSH');
    stand = await Stand.start(cluster, {});
    for (const key of [K1, K2, K3]) await text('DEL', key);
  });
  afterEach(() => stand.stop());

  async function namesAt(node: LocalNode): Promise<string> {
    const rows = (await node.client().call('FUNCTION', 'LIST')) as [string, string][];
    return rows
      .map(([, name]) => name)
      .sort()
      .join(' ');
  }

  async function forget(node: LocalNode | undefined, name: string): Promise<void> {
    await node?.client().call('FUNCTION', 'DELETE', name);
  }

  function logged(msg: string): Record<string, unknown>[] {
    return stand.lines.filter((line) => line['msg'] === msg);
  }

  describe('FUNCTION STATS', () => {
    async function run(...call: Argument[]): Promise<RawClient> {
      const runner = await RawClient.connect(stand.proxy.address.port);
      runner.send(encodeCommand(call));
      await waitFor('the node is busy', async () =>
        String(await masters[1]?.client().ping().catch(String)).includes('BUSY'),
      );
      return runner;
    }

    it('of any master when none is busy', async () => {
      await text('FUNCTION', 'LOAD', library('one'));
      assert.match(await text('FUNCTION', 'STATS'), /^\*4\r\n\$14\r\nrunning_script\r\n\$-1\r\n\$7\r\nengines\r\n/);
      assert.match(
        await text('FUNCTION', 'STATS', 'x'),
        /^-ERR wrong number of arguments for 'function\|stats' command/,
      );
    });

    it('of the one that runs a function', async () => {
      await text('FUNCTION', 'LOAD', library('spin', SPIN));
      const runner = await run('FCALL', 'spin', 1, K2, 'argument');
      const stats = await text('FUNCTION', 'STATS');
      assert.equal(await text('FUNCTION', 'KILL'), '+OK\r\n');
      assert.match(
        stats,
        /running_script\r\n\*6\r\n\$4\r\nname\r\n\$4\r\nspin\r\n\$7\r\ncommand\r\n\*5\r\n\$5\r\nFCALL\r\n/,
      );
      assert.match(stats, /\$8\r\nargument\r\n\$11\r\nduration_ms\r\n:\d+\r\n/);
      assert.match(String(await runner.reply()), /killed by user/);
      runner.close();
    });

    it('is the BUSY of the one that runs a script', async () => {
      const runner = await run('EVAL', SPIN, 1, K2);
      const stats = await text('FUNCTION', 'STATS');
      assert.equal(await text('SCRIPT', 'KILL'), '+OK\r\n');
      assert.match(stats, /^-BUSY /);
      assert.match(String(await runner.reply()), /killed by user/);
      runner.close();
    });
  });

  describe('a function that one master lacks', () => {
    it('is loaded there with the first call, which then runs once', async () => {
      await text('FUNCTION', 'LOAD', library('Count'));
      await forget(masters[1], 'Count');
      assert.equal(await text('FCALL', 'COUNT', 1, K2), ':1\r\n');
      assert.equal(await text('FCALL', 'count', 1, K2), ':2\r\n');
      assert.equal(stand.proxy.counters.functionsHealed, 1);
      assert.equal(logged('functions loaded on a master that lacked them').length, 1);
    });

    it('runs each call of a pipeline once and in order, for several clients at a time', async () => {
      await text('FUNCTION', 'LOAD', library('one'));
      await text('FUNCTION', 'LOAD', library('two', "return redis.call('RPUSH', keys[1], args[1])"));
      await forget(masters[1], 'one');
      await forget(masters[1], 'two');
      const others = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(stand.proxy.address.port)));
      const replies = await Promise.all(
        others.map((other, i) =>
          other.pipeline(
            Array.from({ length: 40 }, (_, n) =>
              n % 2 === 0 ? ['FCALL', 'one', 1, `${K2}:${i}`] : ['FCALL', 'two', 1, `${K2}:list:${i}`, n],
            ),
          ),
        ),
      );
      for (const other of others) other.close();
      const expected = Array.from({ length: 40 }, (_, n) => `:${Math.floor(n / 2) + 1}\r\n`);
      for (const each of replies) assert.deepEqual(each.map(String), expected);
      for (let i = 0; i < 5; i++) {
        const list = (await text('LRANGE', `${K2}:list:${i}`, 0, -1))
          .split('\r\n')
          .filter((line) => /^\d+$/.test(line));
        assert.deepEqual(
          list.map(Number),
          Array.from({ length: 20 }, (_, n) => 2 * n + 1),
        );
      }
      await text('DEL', ...Array.from({ length: 5 }, (_, i) => [`${K2}:${i}`, `${K2}:list:${i}`]).flat());
    });

    it('that nobody has gets the words of the node', async () => {
      assert.equal(await text('FCALL', 'nobodys', 1, K1), NOT_FOUND);
      assert.equal(await text('FCALL', 'nobodys', 0), NOT_FOUND);
      assert.equal(await text('FCALL_RO', 'two\r\nlines', 1, K1), NOT_FOUND);
    });

    it('and that only says so itself is not called again', async () => {
      const body = "redis.call('INCR', keys[1]) return redis.error_reply('ERR Function not found')";
      await text('FUNCTION', 'LOAD', library('liar', body));
      assert.equal(await text('FCALL', 'liar', 1, K1), NOT_FOUND);
      assert.equal(await text('GET', K1), bulk('1'));
      assert.equal(stand.proxy.counters.functionsHealed, 0);
    });

    it('but has a library of that name keeps it, and the log names it', async () => {
      await text('FUNCTION', 'LOAD', library('same'));
      const other = library('same').replace("('same'", "('other'");
      await masters[1]?.client().call('FUNCTION', 'LOAD', 'REPLACE', other);
      assert.equal(await text('FCALL', 'same', 1, K2), NOT_FOUND);
      assert.equal(await text('FCALL', 'same', 1, K2), NOT_FOUND);
      assert.equal(await text('FCALL', 'other', 1, K2), ':1\r\n');
      assert.deepEqual(
        logged('functions of a master differ: left as they are').map(({ node, library: name }) => [node, name]),
        [[masters[1]?.address, 'same']],
      );
    });
  });

  describe('a master that comes back', () => {
    async function restartEmpty(node: LocalNode): Promise<void> {
      await cluster.stopNode(node, 'SIGKILL');
      await cluster.restartNode(node);
    }

    it('without libraries gets those that all others have alike, without a call', async () => {
      const code = Buffer.from(`${library('one')} -- \xff`, 'latin1');
      await text('FUNCTION', 'LOAD', code);
      await text('FUNCTION', 'LOAD', library('two'));
      await forget(masters[2], 'two');
      const [node] = masters;
      assert.ok(node);
      await restartEmpty(node);
      await waitFor('it has the library', async () => (await namesAt(node)) === 'one');
      const [row] = (await node.client().callBuffer('FUNCTION', 'LIST', 'WITHCODE')) as Buffer[][];
      assert.deepEqual(row?.at(-1), code);
      await waitFor('it serves', async () => (await text('FCALL', 'one', 1, K1)) === ':1\r\n');
    });

    it('loses nothing that it has, whatever the others have', async () => {
      await text('FUNCTION', 'LOAD', library('mine'));
      await text('FUNCTION', 'LOAD', library('common'));
      const [node, ...others] = masters;
      assert.ok(node);
      await node.client().call('FUNCTION', 'LOAD', 'REPLACE', library('common', 'return 7'));
      for (const other of others) await forget(other, 'mine');
      await text('FUNCTION', 'LIST');
      await node.client().bgsave();
      await waitFor('it is saved', async () =>
        /rdb_bgsave_in_progress:0/.test(await node.client().info('persistence')),
      );
      await restartEmpty(node);
      await waitFor(
        'the differences are told',
        () => logged('functions of a master differ: left as they are').length === 2,
      );
      assert.equal(await namesAt(node), 'common mine');
      assert.equal(await node.client().call('FCALL', 'common', 0), 7);
      for (const other of others) assert.equal(await namesAt(other), 'common');
      await node.client().call('FUNCTION', 'FLUSH');
      await node.client().bgsave();
      await waitFor('it is saved', async () =>
        /rdb_bgsave_in_progress:0/.test(await node.client().info('persistence')),
      );
    });

    it('while evalgate is away gets them when evalgate starts, if it has none', async (t) => {
      await text('FUNCTION', 'LOAD', library('one'));
      const [node, other] = masters;
      assert.ok(node && other);
      await forget(node, 'one');
      await other.client().call('FUNCTION', 'LOAD', library('only'));
      const later = await Stand.start(cluster, {});
      t.after(() => later.stop());
      await waitFor('it has the library', async () => (await namesAt(node)) === 'one');
      assert.equal(await namesAt(other), 'one only');
    });
  });

  // The last one: it changes the cluster.
  it('a master that joins gets the libraries', async () => {
    await text('FUNCTION', 'LOAD', library('one'));
    const node = await cluster.addNode();
    const [from] = masters;
    assert.ok(from);
    await moveSlots(cluster, [100], { from, to: node });
    assert.equal(await text('FCALL', 'one', 1, K1), ':1\r\n');
    assert.equal(await namesAt(node), 'one');
  });
});
