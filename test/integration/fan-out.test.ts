/**
 * Commands that concern more than one node, or none: split by slot and merged in order, sent to all and merged by tips,
 * walked shard by shard, or answered by evalgate itself (SPEC 5).
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Argument, RawClient } from '../support/client.ts';
import { slotOfKey, waitFor } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';

/** One key on each of the three masters, in the order of their slots. */
const ON_EACH = keysOnEachMaster();
const [FIRST, SECOND, THIRD] = ON_EACH;

function keysOnEachMaster(): [string, string, string] {
  const byMaster = new Map<number, string>();
  for (let i = 0; byMaster.size < 3; i++) byMaster.set(Math.floor(slotOfKey(`key:${i}`) / 5462), `key:${i}`);
  return [byMaster.get(0) ?? '', byMaster.get(1) ?? '', byMaster.get(2) ?? ''];
}

function bulk(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

function array(...elements: string[]): string {
  return `*${elements.length}\r\n${elements.join('')}`;
}

/** The bulk strings of a flat array reply. */
function wordsOf(reply: string): string[] {
  return [...reply.matchAll(/\$\d+\r\n(.*?)\r\n/g)].map(([, word]) => word ?? '');
}

describe('many nodes, one server', () => {
  let gateway: Gateway;
  let client: RawClient;
  const text = (...args: Argument[]) => client.text(...args);

  before(async () => {
    gateway = await Gateway.start({ replicas: 1, nodeTimeoutMs: 15_000 });
    client = await RawClient.connect(gateway.port);
    // A replica that has replicated nothing yet is left out of CLUSTER SLOTS.
    await waitFor('all replicas are known', async () => {
      await client.pipeline(ON_EACH.map((key) => ['SET', key, 'v']));
      await gateway.proxy.refresh(undefined);
      return gateway.proxy.topology.nodes.size === 6;
    });
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });
  beforeEach(async () => {
    assert.equal(await text('FLUSHALL'), '+OK\r\n');
  });

  async function fill(count: number): Promise<Set<string>> {
    const keys = Array.from({ length: count }, (_, i) => `filled:${i}`);
    await client.pipeline(keys.map((key) => ['SET', key, 'v']));
    return new Set(keys);
  }

  describe('split by slot', () => {
    it('MSET and MGET keep the order of the keys, repeated and missing ones included', async () => {
      assert.equal(await text('MSET', FIRST, '1', SECOND, '2', THIRD, '3', FIRST, 'again'), '+OK\r\n');
      const wanted = array(bulk('3'), bulk('again'), '$-1\r\n', bulk('2'), bulk('again'), bulk('3'));
      assert.equal(await text('MGET', THIRD, FIRST, 'none', SECOND, FIRST, THIRD), wanted);
    });

    it('MGET and MSET hold over a thousand keys, inline and with binary keys', async () => {
      const keys = Array.from({ length: 1000 }, (_, i) => Buffer.from(`\r\n\0${(i * 7919) % 1000}`));
      assert.equal(await text('MSET', ...keys.flatMap((key, i) => [key, `value ${i}`])), '+OK\r\n');
      assert.equal(await text('MGET', ...keys), array(...keys.map((_, i) => bulk(`value ${i}`))));
      client.send(`MSET ${FIRST} "a b" ${SECOND} c\r\nMGET ${SECOND} ${FIRST}\r\n`);
      assert.equal(Buffer.concat(await client.replies(2)).toString(), `+OK\r\n${array(bulk('c'), bulk('a b'))}`);
    });

    for (const [command, first, second] of [
      ['DEL', 3, 0],
      ['UNLINK', 3, 0],
      ['EXISTS', 4, 4],
      ['TOUCH', 4, 4],
    ] as const) {
      it(`${command} sums, and counts a repeated key as Redis does`, async () => {
        await text('MSET', FIRST, '1', SECOND, '2', THIRD, '3');
        assert.equal(await text(command, FIRST, SECOND, FIRST, THIRD, 'none'), `:${first}\r\n`);
        assert.equal(await text(command, FIRST, SECOND, FIRST, THIRD, 'none'), `:${second}\r\n`);
      });
    }

    it('a part that fails is the reply, the first one in the order of the keys', async () => {
      const node = gateway.cluster.masters[1];
      await node?.client().config('SET', 'maxmemory', '1');
      try {
        const denied = "-OOM command not allowed when used memory > 'maxmemory'., other parts may have run\r\n";
        assert.equal(await text('MSET', FIRST, '1', SECOND, '2', THIRD, '3'), denied);
        assert.equal(await text('MGET', FIRST, SECOND, THIRD), array(bulk('1'), '$-1\r\n', bulk('3')));
      } finally {
        await node?.client().config('SET', 'maxmemory', '0');
      }
    });

    it('a wrong number of arguments is told in the words of the node', async () => {
      for (const command of ['MSET', 'MGET', 'DEL']) {
        const wanted = `-ERR wrong number of arguments for '${command.toLowerCase()}' command\r\n`;
        assert.equal(await text(command), wanted);
      }
      assert.equal(await text('MSET', FIRST, '1', SECOND), "-ERR wrong number of arguments for 'mset' command\r\n");
    });

    const crossSlot: Argument[][] = [
      ['MSETNX', FIRST, 1, SECOND, 2],
      ['RENAME', FIRST, SECOND],
      ['SINTER', FIRST, SECOND],
      ['ZUNIONSTORE', FIRST, 2, FIRST, SECOND],
      ['SORT', FIRST, 'STORE', SECOND],
      ['XREAD', 'STREAMS', FIRST, SECOND, 0, 0],
      ['LMPOP', 2, FIRST, SECOND, 'LEFT'],
      ['BITOP', 'AND', FIRST, SECOND],
      ['GEORADIUS', FIRST, 1, 1, 1, 'km', 'STORE', SECOND],
    ];
    for (const command of crossSlot) {
      it(`${command[0]} over two slots is refused with CROSSSLOT`, async () => {
        assert.equal(await text(...command), "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
      });
    }
  });

  describe('sent to all', () => {
    it('DBSIZE sums, KEYS joins, FLUSHALL and FLUSHDB empty every shard', async () => {
      const keys = await fill(300);
      assert.equal(await text('DBSIZE'), ':300\r\n');
      assert.deepEqual(new Set(wordsOf(await text('KEYS', 'filled:*'))), keys);
      assert.equal(await text('KEYS', 'nothing*'), '*0\r\n');
      assert.equal(await text('FLUSHDB', 'ASYNC'), '+OK\r\n');
      assert.equal(await text('DBSIZE'), ':0\r\n');
      await fill(30);
      assert.equal(await text('FLUSHALL'), '+OK\r\n');
      assert.equal(await text('DBSIZE'), ':0\r\n');
      assert.equal(await text('FLUSHALL', 'BOGUS'), '-ERR syntax error\r\n');
    });

    it('CONFIG SET reaches every node, CONFIG GET asks one', async () => {
      assert.equal(await text('CONFIG', 'SET', 'slowlog-max-len', '321'), '+OK\r\n');
      for (const node of gateway.cluster.nodes) {
        assert.deepEqual(await node.client().config('GET', 'slowlog-max-len'), ['slowlog-max-len', '321']);
      }
      assert.equal(await text('CONFIG', 'GET', 'slowlog-max-len'), array(bulk('slowlog-max-len'), bulk('321')));
      assert.match(await text('CONFIG', 'SET', 'no-such-key', '1'), /^-ERR Unknown option/);
    });

    it('WAIT asks where the writes went, and tells the fewest replicas', async () => {
      await client.pipeline(ON_EACH.map((key) => ['SET', key, 'v']));
      assert.equal(await text('WAIT', '1', '5000'), ':1\r\n');
      assert.equal(await text('WAIT', '2', '50'), ':1\r\n');
      assert.match(await text('WAIT', 'x', '0'), /^-ERR value is not an integer/);
      const fresh = await RawClient.connect(gateway.port);
      assert.match(await fresh.text('WAIT', '0', '10'), /^:[01]\r\n$/);
      fresh.close();
    });
  });

  describe('walked shard by shard', () => {
    async function scan(...options: Argument[]): Promise<string[]> {
      const found: string[] = [];
      let cursor = '0';
      do {
        const [next = '', ...keys] = wordsOf(await text('SCAN', cursor, ...options));
        assert.ok(BigInt(next) < 2n ** 64n);
        found.push(...keys);
        cursor = next;
      } while (cursor !== '0');
      return found;
    }

    it('SCAN sees each of 3,000 keys exactly once, also with COUNT, MATCH and TYPE', async () => {
      const keys = [...(await fill(3000))].sort();
      await text('RPUSH', 'list', 'x');
      assert.deepEqual((await scan('MATCH', 'filled:*')).sort(), keys);
      assert.deepEqual((await scan('COUNT', 500, 'TYPE', 'string')).sort(), keys);
      assert.deepEqual(await scan('COUNT', 1000, 'TYPE', 'list'), ['list']);
      assert.equal((await scan('COUNT', 100_000)).length, 3001);
      assert.deepEqual(await scan('MATCH', 'none', 'COUNT', 10_000), []);
    });

    it('SCAN refuses what is no cursor in the words of the node, and ends at one that leads nowhere', async () => {
      await fill(30);
      for (const cursor of ['x', '18446744073709551616', '1x', ' 1', '-1', '', '99999999999999999999999']) {
        assert.equal(await text('SCAN', cursor), '-ERR invalid cursor\r\n', cursor);
      }
      assert.equal(await text('SCAN', '1023'), array(bulk('0'), '*0\r\n'));
      assert.equal(await text('SCAN', '0', 'COUNT', '0'), '-ERR syntax error\r\n');
      assert.equal(await text('SCAN'), "-ERR wrong number of arguments for 'scan' command\r\n");
    });

    it('RANDOMKEY finds the only key, whatever shard has it, and nil when there is none', async () => {
      assert.equal(await text('RANDOMKEY'), '$-1\r\n');
      for (const key of ON_EACH) {
        await client.pipeline([['FLUSHALL'], ['SET', key, 'v']]);
        const replies = await client.pipeline(Array.from({ length: 10 }, () => ['RANDOMKEY']));
        assert.deepEqual(new Set(replies.map(String)), new Set([bulk(key)]));
      }
    });

    it('replies of walks and fan-outs stand in the order of a pipeline', async () => {
      const replies = await client.pipeline([
        ['SET', SECOND, 'v'],
        ['RANDOMKEY'],
        ['MGET', FIRST, SECOND],
        ['PING'],
        ['DBSIZE'],
        ['SCAN', 0, 'COUNT', 10],
        ['FLUSHALL'],
        ['GET', SECOND],
        ['DBSIZE'],
      ]);
      const scanned = replies[5]?.toString() ?? '';
      assert.match(scanned, /^\*2\r\n\$1\r\n1\r\n\*0\r\n$/);
      const rest = replies.filter((_, i) => i !== 5).map(String);
      assert.deepEqual(rest, [
        ...[
          '+OK\r\n',
          bulk(SECOND),
          array('$-1\r\n', bulk('v')),
          '+PONG\r\n',
          ':1\r\n',
          '+OK\r\n',
          '$-1\r\n',
          ':0\r\n',
        ],
      ]);
    });
  });

  describe('asked of one', () => {
    it('INFO, TIME and COMMAND answer', async () => {
      assert.match(await text('INFO', 'server'), /redis_version:/);
      assert.match(await text('TIME'), /^\*2\r\n\$10\r\n\d{10}\r\n\$\d\r\n\d+\r\n$|^\*2\r\n\$10\r\n\d+\r\n\$\d\r\n/);
      const count = Number((await text('COMMAND', 'COUNT')).slice(1));
      assert.ok(count > 200);
      assert.ok((await text('COMMAND')).startsWith(`*${count}\r\n`));
      assert.match(await text('COMMAND', 'INFO', 'get'), /^\*1\r\n\*10\r\n\$3\r\nget\r\n:2\r\n/);
      assert.match(await text('COMMAND', 'DOCS', 'get'), /summary/);
      assert.equal(await text('COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2'), array(bulk('a'), bulk('b')));
    });
  });
});
