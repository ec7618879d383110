/**
 * MULTI, EXEC, DISCARD, WATCH and UNWATCH as clients see them, while nothing happens to the cluster and while slots move,
 * masters change and nodes die.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ProxyServer } from '../../src/control/proxy.ts';
import { type Argument, RawClient } from '../support/client.ts';
import {
  beginSlotMove,
  endSlotMove,
  failOver,
  freeze,
  moveKeys,
  ownerOf,
  type SlotMove,
  shardOf,
  slotOfKey,
  tagInSlot,
  thaw,
  waitFor,
  waitUntilInSync,
  waitUntilReplaced,
} from '../support/cluster.ts';
import { Gateway, startProxy } from '../support/gateway.ts';
import { error, shaOf } from '../support/stand.ts';
import { isAtLeast } from '../support/versions.ts';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';
const NULL = '*-1\r\n';
const ABORTED = error('EXECABORT Transaction discarded because of previous errors.');
const CROSS_SLOT = error("CROSSSLOT Keys in request don't hash to the same slot");
const COUNT = "return redis.call('INCR', KEYS[1])";

/** Requests in words, and their replies as texts. */
async function say(client: RawClient, ...requests: (string | Argument[])[]): Promise<string[]> {
  const words = requests.map((request) => (typeof request === 'string' ? request.split(' ') : request));
  return (await client.pipeline(words)).map(String);
}

function dedicatedCount(proxy: ProxyServer): number {
  let count = 0;
  for (const pool of proxy.upstream.pools) count += pool.dedicatedCount;
  return count;
}

describe('transactions', () => {
  let gateway: Gateway;
  let client: RawClient;
  let other: RawClient;
  let nextSlot = 200;

  before(async () => {
    gateway = await Gateway.start({ replicas: 0 }, { scripting: { script_check_enable: 0 } });
    client = await RawClient.connect(gateway.port);
    other = await RawClient.connect(gateway.port);
  });
  after(async () => {
    client.close();
    other.close();
    await gateway.stop();
  });

  /** A hash tag in a slot of the first master that no other test uses. */
  function freshTag(): string {
    return tagInSlot(nextSlot++);
  }

  it('run as one, in a pipeline and one by one', async () => {
    const t = freshTag();
    assert.deepEqual(await say(client, 'MULTI', `SET ${t}a 1`, `INCR ${t}a`, `GET ${t}a`, 'EXEC', `GET ${t}a`), [
      OK,
      QUEUED,
      QUEUED,
      QUEUED,
      '*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n',
      '$1\r\n2\r\n',
    ]);
    assert.equal(await client.text('MULTI'), OK);
    assert.equal(await client.text('INCR', `${t}a`), QUEUED);
    assert.equal(await other.text('GET', `${t}a`), '$1\r\n2\r\n', 'not yet');
    assert.equal(await client.text('EXEC'), '*1\r\n:3\r\n');
    assert.equal(await client.text('INCR', `${t}a`), ':4\r\n');
  });

  it("a watch ends with a change of protocol: EXEC answers null, RESP3's own", async () => {
    const key = `${tagInSlot(77)}:switched`;
    assert.equal(await client.text('WATCH', key), '+OK\r\n');
    assert.match(await client.text('HELLO', '3'), /^%7\r\n/);
    const replies = await client.pipeline([['MULTI'], ['SET', key, 'v'], ['EXEC'], ['EXISTS', key]]);
    assert.deepEqual(replies.map(String), ['+OK\r\n', '+QUEUED\r\n', '_\r\n', ':0\r\n']);
    const again = await client.pipeline([['MULTI'], ['HGETALL', key], ['EXEC']]);
    assert.deepEqual(again.map(String), ['+OK\r\n', '+QUEUED\r\n', '*1\r\n%0\r\n']);
    assert.match(await client.text('HELLO', '2'), /^\*14\r\n/);
  });

  describe('C1: say what one Redis server says', () => {
    const t = '{same}';
    const transcripts: string[][] = [
      ['MULTI', 'EXEC'],
      ['EXEC'],
      ['DISCARD'],
      ['UNWATCH'],
      ['MULTI', 'MULTI', `SET ${t}a 1`, 'EXEC'],
      ['MULTI', `WATCH ${t}a`, `SET ${t}a 1`, 'EXEC'],
      ['MULTI', `SET ${t}a 2`, 'DISCARD', `GET ${t}a`],
      ['MULTI', 'DISCARD'],
      ['MULTI', `INCR ${t}a ${t}b`, `SET ${t}a 9`, 'EXEC', `GET ${t}a`],
      ['MULTI', 'NOSUCHCOMMAND x', 'EXEC', 'EXEC'],
      ['MULTI', `LPUSH ${t}list a b`, `INCR ${t}list`, `LLEN ${t}list`, 'EXEC', `DEL ${t}list`],
      ['MULTI', 'PING', 'ECHO hello', 'SELECT 0', 'EXEC'],
      ['MULTI', 'PING a b c', 'EXEC'],
      ['MULTI', `BLPOP ${t}none 0`, `BLMOVE ${t}none ${t}none2 LEFT LEFT 0`, 'EXEC'],
      ['MULTI', `XREAD BLOCK 0 STREAMS ${t}s $`, 'EXEC'],
      ['MULTI', `MGET ${t}a ${t}b`, `DEL ${t}a ${t}b`, 'EXEC'],
      ['MULTI', 'UNWATCH', 'EXEC'],
      ['MULTI', 'UNWATCH x', 'EXEC'],
      ['MULTI', 'MULTI x', 'EXEC'],
      ['MULTI', 'DISCARD x', 'EXEC'],
      ['MULTI', 'WATCH', 'EXEC'],
      ['MULTI', `SET ${t}a 1`, 'EXEC foo', 'EXEC'],
      ['MULTI', `SET ${t}a 1`, 'RESET', 'EXEC', `DEL ${t}a`],
      [`WATCH ${t}a`, 'MULTI', 'EXEC'],
      [`WATCH ${t}a`, `SET ${t}a 1`, 'MULTI', `INCR ${t}a`, 'EXEC', `GET ${t}a`],
      [`WATCH ${t}a`, `SET ${t}a 1`, 'UNWATCH', 'MULTI', `INCR ${t}a`, 'EXEC'],
      [`WATCH ${t}a`, `SET ${t}a 1`, 'MULTI', 'EXEC', 'MULTI', `INCR ${t}a`, 'EXEC'],
      [`WATCH ${t}a`, `SET ${t}a 1`, 'MULTI', 'DISCARD', 'MULTI', `INCR ${t}a`, 'EXEC'],
      [`WATCH ${t}a`, `SET ${t}a 1`, 'RESET', 'MULTI', `INCR ${t}a`, 'EXEC'],
      [`WATCH ${t}a`, `SET ${t}a 1`, 'MULTI', 'NOSUCHCOMMAND', 'EXEC'],
      [`WATCH ${t}a ${t}b`, `GET ${t}a`, 'MULTI', `INCR ${t}a`, 'EXEC'],
      [`EVAL return{redis.pcall('INCRBY',KEYS[1],'x'),{err='MOVED\\x201\\x20h:1'}} 1 ${t}a`],
      ['MULTI', `EVAL return{err='MOVED'} 1 ${t}a`, `EVAL return{err='NOSCRIPT'} 1 ${t}a`, 'EXEC'],
      ['MULTI', `EVALSHA ${'f'.repeat(40)} 1 ${t}a`, 'EXEC'],
    ];
    const KEYS = ['a', 'b', 'list', 's', 'none'].map((name) => `${t}${name}`);

    /** All at once and one by one, from the same state. */
    async function record(port: number, transcript: readonly string[]): Promise<string[][]> {
      const mine = await RawClient.connect(port);
      await mine.command('DEL', ...KEYS);
      const atOnce = await say(mine, ...transcript);
      await mine.command('DEL', ...KEYS);
      const oneByOne: string[] = [];
      for (const request of transcript) oneByOne.push(...(await say(mine, request)));
      mine.close();
      return [atOnce, oneByOne];
    }

    // Valkey from 8 on takes a nested MULTI or WATCH for an error that spoils the transaction, evalgate does not.
    const spoils = isAtLeast({ redis: Number.POSITIVE_INFINITY, valkey: 8 });
    for (const transcript of transcripts) {
      const [, nested = ''] = transcript;
      const skip =
        spoils && transcript[0] === 'MULTI' && /^(MULTI|WATCH \{)/.test(nested) && 'other words in Valkey 8 and 9';
      it(transcript.join(' | '), { skip: skip && nested !== 'MULTI x' ? skip : false }, async () => {
        const owner = await ownerOf(gateway.cluster, slotOfKey(t));
        assert.deepEqual(await record(gateway.port, transcript), await record(owner.port, transcript));
      });
    }
  });

  it('QUIT ends one at once', async () => {
    const quitting = await RawClient.connect(gateway.port);
    const t = freshTag();
    quitting.send(`MULTI\r\nSET ${t}a 1\r\nQUIT\r\n`);
    assert.deepEqual((await quitting.repliesUntilEnd()).map(String), [OK, QUEUED, OK]);
    assert.equal(await client.text('EXISTS', `${t}a`), ':0\r\n');
  });

  it('a client that half-closes behind EXEC gets all replies', async () => {
    const leaving = await RawClient.connect(gateway.port);
    leaving.send(`MULTI\r\nSET ${freshTag()}a 1\r\nEXEC\r\n`);
    leaving.endWrites();
    assert.deepEqual((await leaving.repliesUntilEnd()).map(String), [OK, QUEUED, '*1\r\n+OK\r\n']);
  });

  it('keys of two slots are refused when they are queued, and EXEC aborts', async () => {
    const [a, b] = [freshTag(), freshTag()];
    assert.deepEqual(await say(client, 'MULTI', `SET ${a}k 1`, `SET ${b}k 1`, `SET ${a}k 2`, 'EXEC', `EXISTS ${a}k`), [
      OK,
      QUEUED,
      CROSS_SLOT,
      QUEUED,
      ABORTED,
      ':0\r\n',
    ]);
    assert.deepEqual(await say(client, 'MULTI', `MGET ${a}k ${b}k`, 'EXEC'), [OK, CROSS_SLOT, ABORTED]);
    assert.deepEqual(await say(client, `WATCH ${a}k ${b}k`), [CROSS_SLOT]);
    assert.deepEqual(await say(client, `WATCH ${a}k`, `WATCH ${b}k`, 'MULTI', `SET ${b}k 1`, 'EXEC', 'UNWATCH'), [
      OK,
      CROSS_SLOT,
      OK,
      CROSS_SLOT,
      ABORTED,
      OK,
    ]);
  });

  it('what cannot be queued is refused and spoils it', async () => {
    const t = freshTag();
    for (const command of ['KEYS *', 'CLIENT ID', 'SCAN 0', 'WAIT 0 0', 'FLUSHALL', 'SCRIPT FLUSH', 'MONITOR']) {
      const [, refusal, queued, exec] = await say(client, 'MULTI', command, `SET ${t}a 1`, 'EXEC');
      assert.match(refusal ?? '', /^-ERR evalgate: '[A-Z ]+' is not supported/, command);
      assert.deepEqual([queued, exec], [QUEUED, ABORTED], command);
    }
    assert.equal(await client.text('EXISTS', `${t}a`), ':0\r\n');
  });

  it('commands without keys before the first key go along to its owner', async () => {
    for (const slot of [300, 6000, 12_000]) {
      const t = tagInSlot(slot);
      const replies = await say(client, 'MULTI', 'PING', 'ECHO x', `SET ${t}k 1`, 'PING', `GET ${t}k`, 'EXEC');
      assert.equal(replies[6], '*5\r\n+PONG\r\n$1\r\nx\r\n+OK\r\n+PONG\r\n$1\r\n1\r\n');
    }
  });

  it('a change by somebody else makes EXEC null, also a change by this client', async () => {
    const t = freshTag();
    await client.text('WATCH', `${t}a`);
    await other.text('SET', `${t}a`, '1');
    assert.deepEqual(await say(client, 'MULTI', `SET ${t}a 2`, 'EXEC', `GET ${t}a`), [OK, QUEUED, NULL, '$1\r\n1\r\n']);
    assert.deepEqual(await say(client, `SET ${t}a 3`, `WATCH ${t}a`, 'MULTI', `INCR ${t}a`, 'EXEC'), [
      OK,
      OK,
      OK,
      QUEUED,
      '*1\r\n:4\r\n',
    ]);
  });

  it('WATCH, read, MULTI, write, EXEC lets no increment get lost', async () => {
    const key = `${freshTag()}n`;
    const rounds = 30;
    let retries = 0;
    const incrementing = async (): Promise<void> => {
      const mine = await RawClient.connect(gateway.port);
      for (let i = 0; i < rounds; ) {
        const [, value] = await say(mine, `WATCH ${key}`, `GET ${key}`);
        const seen = Number(value?.split('\r\n')[1] ?? 0) || 0;
        const replies = await say(mine, 'MULTI', `SET ${key} ${seen + 1}`, 'EXEC');
        if (replies[2] === '*1\r\n+OK\r\n') i++;
        else retries++;
        assert.ok(replies[2] === NULL || replies[2] === '*1\r\n+OK\r\n', replies[2]);
      }
      mine.close();
    };
    await Promise.all([incrementing(), incrementing(), incrementing()]);
    assert.equal(await client.text('GET', key), `$2\r\n${rounds * 3}\r\n`);
    assert.ok(retries > 0, 'nobody was in anybody’s way: the test proved nothing');
  });

  it('C5: a known script goes up with its body, so EXEC holds no NOSCRIPT', async () => {
    const t = freshTag();
    const sha = (await client.text('SCRIPT', 'LOAD', COUNT)).split('\r\n')[1] ?? '';
    for (const master of gateway.cluster.masters) await master.client().call('SCRIPT', 'FLUSH');
    const replies = await say(client, 'MULTI', `EVALSHA ${sha} 1 ${t}n`, ['EVAL', COUNT, 1, `${t}n`], 'EXEC');
    assert.deepEqual(replies, [OK, QUEUED, QUEUED, '*2\r\n:1\r\n:2\r\n']);
    assert.equal(
      await client.text('EVALSHA_RO', shaOf('return 7'), '1', `${t}n`).then((r) => r.slice(0, 9)),
      '-NOSCRIPT',
    );
    await client.text('EVAL', 'return 7', '1', `${t}n`);
    assert.deepEqual(await say(client, 'MULTI', `EVALSHA_RO ${shaOf('return 7')} 1 ${t}n`, 'EXEC'), [
      OK,
      QUEUED,
      '*1\r\n:7\r\n',
    ]);
  });

  it('C7: a connection that comes back carries nothing of the one before', async () => {
    const t = freshTag();
    for (let i = 0; i < 20; i++) {
      const one = await RawClient.connect(gateway.port);
      await say(one, `WATCH ${t}a`, 'MULTI', `SET ${t}a 1`);
      one.close();
      assert.deepEqual(await say(client, 'MULTI', `SET ${t}b ${i}`, 'EXEC'), [OK, QUEUED, '*1\r\n+OK\r\n']);
    }
    await waitFor('nothing is left behind', () => dedicatedCount(gateway.proxy) === 0);
    assert.equal(await client.text('EXISTS', `${t}a`), ':0\r\n');
    const list = String(await gateway.cluster.masters[0]?.client().call('CLIENT', 'LIST'));
    assert.doesNotMatch(list, / flags=\S*x/);
  });

  it('a MULTI that the node refuses runs nothing of what follows', async (t) => {
    for (const master of gateway.cluster.masters) {
      await master.client().call('ACL', 'SETUSER', 'plain', 'on', '>secret', '~*', '&*', '+@all', '-multi');
    }
    const identity = { username: 'plain', password: 'secret' };
    const proxy = await startProxy(gateway.cluster, { cluster: identity, listen: { drain_ms: 0 } });
    t.after(() => proxy.stop());
    const mine = await RawClient.connect(proxy.address.port);
    const tag = freshTag();
    const [multi, set, incr, exec, get] = await say(
      mine,
      'MULTI',
      `SET ${tag}k 1`,
      `INCR ${tag}k`,
      'EXEC',
      `GET ${tag}k`,
    );
    assert.deepEqual([multi, exec, get], [OK, ABORTED, '$-1\r\n']);
    assert.match(set ?? '', /^-NOPERM /);
    assert.equal(incr, set);
    mine.close();
  });

  it('C6: more than dedicated_per_node are refused, and the others go on', async (t) => {
    const proxy = await startProxy(gateway.cluster, { cluster: { dedicated_per_node: 2 }, listen: { drain_ms: 0 } });
    t.after(() => proxy.stop());
    const tag = freshTag();
    const clients = await Promise.all([1, 2, 3].map(() => RawClient.connect(proxy.address.port)));
    const [first, second, third] = clients as [RawClient, RawClient, RawClient];
    for (const pinned of [first, second]) await say(pinned, 'MULTI', `INCR ${tag}n`);
    const [, refusal, exec] = await say(third, 'MULTI', `INCR ${tag}n`, 'EXEC');
    assert.match(refusal ?? '', /^-ERR evalgate: more than 2 connections to .* wait \(cluster\.dedicated_per_node\)/);
    assert.equal(exec, ABORTED);
    assert.deepEqual(await say(first, 'EXEC'), ['*1\r\n:1\r\n']);
    assert.deepEqual(await say(third, 'MULTI', `INCR ${tag}n`, 'EXEC'), [OK, QUEUED, '*1\r\n:2\r\n']);
    for (const each of clients) each.close();
  });

  describe('C4: while a slot moves', () => {
    let move: SlotMove;
    let tag: string;

    async function begin(): Promise<void> {
      const [from, to] = gateway.cluster.masters;
      assert.ok(from && to);
      tag = freshTag();
      move = { slot: slotOfKey(tag), from, to };
      await client.text('SET', `${tag}n`, '1');
      await client.text('WATCH', `${tag}n`);
      await client.text('UNWATCH');
    }

    async function finish(): Promise<void> {
      while ((await moveKeys(move)) > 0);
      await endSlotMove(move, gateway.cluster);
    }

    it('MOVED to a command: the transaction is said again to the new owner', async () => {
      await begin();
      await say(client, 'MULTI', `INCR ${tag}n`);
      await beginSlotMove(move);
      await finish();
      assert.deepEqual(await say(client, `INCR ${tag}n`, 'EXEC', `GET ${tag}n`), [
        QUEUED,
        '*2\r\n:2\r\n:3\r\n',
        '$1\r\n3\r\n',
      ]);
    });

    it('MOVED to a whole pipeline', async () => {
      await begin();
      await beginSlotMove(move);
      await finish();
      const commands = Array.from({ length: 100 }, () => `INCR ${tag}n`);
      const replies = await say(client, 'MULTI', ...commands, 'EXEC', `GET ${tag}n`);
      assert.ok(replies.slice(1, 101).every((reply) => reply === QUEUED));
      assert.equal(replies[102], '$3\r\n101\r\n');
    });

    it('MOVED to EXEC', async () => {
      await begin();
      await say(client, 'MULTI', `INCR ${tag}n`);
      await beginSlotMove(move);
      await finish();
      assert.deepEqual(await say(client, 'EXEC', `GET ${tag}n`), ['*1\r\n:2\r\n', '$1\r\n2\r\n']);
    });

    it('with a watch in force EXEC is null, and the next attempt works', async () => {
      await begin();
      await say(client, `WATCH ${tag}n`, 'MULTI', `INCR ${tag}n`);
      await beginSlotMove(move);
      await finish();
      assert.deepEqual(await say(client, 'EXEC', `GET ${tag}n`), [NULL, '$1\r\n1\r\n']);
      assert.deepEqual(await say(client, `WATCH ${tag}n`, 'MULTI', `INCR ${tag}n`, 'EXEC'), [
        OK,
        OK,
        QUEUED,
        '*1\r\n:2\r\n',
      ]);
    });

    it('with a watch in force commands are still queued, and EXEC is null', async () => {
      await begin();
      await say(client, `WATCH ${tag}n`);
      await beginSlotMove(move);
      await finish();
      assert.deepEqual(await say(client, 'MULTI', `INCR ${tag}n`, `INCR ${tag}n`, 'EXEC', `GET ${tag}n`), [
        OK,
        QUEUED,
        QUEUED,
        NULL,
        '$1\r\n1\r\n',
      ]);
    });

    it('ASK is followed, for WATCH too', async () => {
      await begin();
      await beginSlotMove(move);
      await moveKeys(move);
      assert.deepEqual(await say(client, 'MULTI', `INCR ${tag}n`, `GET ${tag}n`, 'EXEC'), [
        OK,
        QUEUED,
        QUEUED,
        '*2\r\n:2\r\n$1\r\n2\r\n',
      ]);
      assert.deepEqual(await say(client, `WATCH ${tag}n`, 'MULTI', `INCR ${tag}n`, 'EXEC'), [
        OK,
        OK,
        QUEUED,
        '*1\r\n:3\r\n',
      ]);
      await finish();
      assert.equal(await client.text('GET', `${tag}n`), '$1\r\n3\r\n');
    });

    it('TRYAGAIN waits until the keys are together', async () => {
      await begin();
      await client.text('SET', `${tag}m`, '10');
      await beginSlotMove(move);
      await moveKeys(move, 1);
      const retriesBefore = gateway.proxy.counters.retries;
      const waiting = say(client, 'MULTI', `INCR ${tag}n`, `INCR ${tag}m`, 'EXEC');
      await waitFor('it waits', () => gateway.proxy.counters.retries > retriesBefore + 2);
      await finish();
      assert.deepEqual(await waiting, [OK, QUEUED, QUEUED, '*2\r\n:2\r\n:11\r\n']);
    });

    it('one that is too large to be kept fails honestly', async (t) => {
      await begin();
      const proxy = await startProxy(gateway.cluster, {
        limits: { in_flight_bytes_per_client: 65_536 },
        listen: { drain_ms: 0 },
      });
      t.after(() => proxy.stop());
      const mine = await RawClient.connect(proxy.address.port);
      t.after(() => mine.close());
      const big = 'x'.repeat(40_000);
      assert.deepEqual(await say(mine, 'MULTI', `APPEND ${tag}s ${big}`, `APPEND ${tag}s ${big}`), [
        OK,
        QUEUED,
        QUEUED,
      ]);
      assert.equal(proxy.counters.keptBytes, 0);
      await beginSlotMove(move);
      await finish();
      const [refusal, exec] = await say(mine, `APPEND ${tag}s x`, 'EXEC');
      assert.match(
        refusal ?? '',
        /too large to be moved \(limits\.in_flight_bytes_per_client, 65536\), it did not run/,
      );
      assert.equal(exec, ABORTED);
      assert.equal(await mine.text('EXISTS', `${tag}s`), ':0\r\n');
    });
  });
});

describe('transactions under failover', () => {
  let gateway: Gateway;
  let client: RawClient;
  const key = 'counter';

  before(async () => {
    gateway = await Gateway.start(
      { replicas: 1, nodeTimeoutMs: 2000 },
      { cluster: { failover_wait_ms: 15_000, node_silence_ms: 15_000 } },
    );
    client = await RawClient.connect(gateway.port);
  });
  after(async () => {
    client.close();
    await gateway.stop();
  });

  it('C4: a manual failover in its middle costs nothing but a watch', async () => {
    const watching = await RawClient.connect(gateway.port);
    await say(client, `SET ${key} 1`, 'MULTI', `INCR ${key}`);
    await say(watching, `WATCH ${key}`, 'MULTI', `INCR ${key}`);
    await failOver(gateway.cluster, (await shardOf(gateway.cluster, slotOfKey(key))).replica);
    assert.deepEqual(await say(client, `INCR ${key}`, 'EXEC'), [QUEUED, '*2\r\n:2\r\n:3\r\n']);
    assert.deepEqual(await say(watching, 'EXEC', `GET ${key}`), [NULL, '$1\r\n3\r\n']);
    watching.close();
  });

  it('C4: a master that dies before EXEC costs nothing but a watch', async () => {
    await waitUntilInSync(gateway.cluster);
    const watching = await RawClient.connect(gateway.port);
    await say(client, `SET ${key} 1`, 'MULTI', `INCR ${key}`);
    await say(watching, `WATCH ${key}`);
    const { master } = await shardOf(gateway.cluster, slotOfKey(key));
    await gateway.cluster.stopNode(master, 'SIGKILL');
    assert.deepEqual(await say(client, `INCR ${key}`, 'EXEC'), [QUEUED, '*2\r\n:2\r\n:3\r\n']);
    assert.deepEqual(await say(watching, 'MULTI', `INCR ${key}`, 'EXEC'), [OK, QUEUED, NULL]);
    watching.close();
    await waitUntilReplaced(gateway.cluster, master);
    await gateway.cluster.restartNode(master);
  });

  it('C4: an EXEC that was in flight when its master froze may have run, and says so', async () => {
    await waitUntilInSync(gateway.cluster);
    await say(client, `SET ${key} 1`, 'MULTI', `INCR ${key}`);
    const { master } = await shardOf(gateway.cluster, slotOfKey(key));
    freeze(master);
    try {
      const exec = client.text('EXEC');
      await waitUntilReplaced(gateway.cluster, master);
      assert.match(
        await exec,
        /^-ERR evalgate: .* did not answer for \d+ ms, the command may have run or may still run/,
      );
    } finally {
      thaw(master);
    }
    assert.deepEqual(await say(client, 'MULTI', `SET ${key} 5`, 'EXEC'), [OK, QUEUED, '*1\r\n+OK\r\n']);
  });
});

describe('transactions with the checks of Tair', () => {
  it('refuse scripts when they are queued', async (t) => {
    const gateway = await Gateway.start({ masters: 1, replicas: 0 });
    t.after(() => gateway.stop());
    const client = await RawClient.connect(gateway.port);
    const refused = (name: string) => error(`ERR '${name}' command is not supported in MULTI/EXEC transactions`);
    assert.deepEqual(
      await say(client, 'MULTI', ['EVAL', COUNT, 1, 'a'], `EVALSHA ${shaOf(COUNT)} 1 a`, 'SCRIPT EXISTS x', 'EXEC'),
      [OK, refused('EVAL'), refused('EVALSHA'), refused('SCRIPT'), ABORTED],
    );
    assert.equal(await client.text('EVALSHA', shaOf(COUNT), '1', 'a').then((reply) => reply.slice(0, 9)), '-NOSCRIPT');
    client.close();
  });
});
