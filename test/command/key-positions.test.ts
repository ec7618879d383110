import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyPositions, keyPositions } from '../../src/command/key-positions.ts';
import type { CommandSpec, KeySpec } from '../../src/command/spec.ts';
import { type Command, SHIPPED_TABLE } from '../../src/command/table.ts';
import { decodeReply } from '../../src/resp/decode.ts';
import { plainRedis } from '../support/plain-redis.ts';
import { Random } from '../support/random.ts';
import { requestOf } from '../support/request.ts';
import { SERVER } from '../support/versions.ts';

function commandOf(args: readonly string[]): Command {
  const [name = '', sub = ''] = args;
  const command = SHIPPED_TABLE.findByName(name);
  const found = command?.subcommands?.findByName(sub) ?? command;
  assert.ok(found, name);
  return found;
}

/** The keys that are found; undefined when the arguments do not fit. */
function keysOf(args: readonly string[]): string[] | undefined {
  const out = new KeyPositions();
  const fits = keyPositions(commandOf(args).spec, requestOf(...args), out);
  return fits ? Array.from({ length: out.count }, (_, i) => args[out.at(i)] as string) : undefined;
}

const REQUESTS: [request: string, keys: string[] | undefined][] = [
  ['GET a', ['a']],
  ['MGET a b c', ['a', 'b', 'c']],
  ['MSET a 1 b 2', ['a', 'b']],
  ['MSETNX a 1 b 2', ['a', 'b']],
  ['RENAME a b', ['a', 'b']],
  ['BITOP AND dst a b', ['dst', 'a', 'b']],
  ['COPY a b REPLACE', ['a', 'b']],
  ['LMOVE a b LEFT RIGHT', ['a', 'b']],
  ['SORT a', ['a']],
  ['SORT a DESC STORE b', ['a', 'b']],
  ['SORT a store b STORE c', ['a', 'c']],
  ['SORT a BY store GET STORE LIMIT store 1 ALPHA STORE b', ['a', 'b']],
  ['SORT a GET store x', ['a']],
  ['SORT a STORE', ['a']],
  ['SORT_RO a BY x', ['a']],
  ['XREAD STREAMS a 0', ['a']],
  ['XREAD COUNT 2 STREAMS a b 0 0', ['a', 'b']],
  ['XREAD BLOCK 0 COUNT 2 streams a b c 0 0 0', ['a', 'b', 'c']],
  ['XREADGROUP GROUP streams streams STREAMS a b > >', ['a', 'b']],
  ['XREADGROUP GROUP g c COUNT 1 NOACK STREAMS a >', ['a']],
  ['ZUNIONSTORE d 2 a b', ['d', 'a', 'b']],
  ['ZINTERSTORE d 2 a b WEIGHTS 1 2 AGGREGATE MAX', ['d', 'a', 'b']],
  ['ZUNION 2 a b WITHSCORES', ['a', 'b']],
  ['ZDIFF 1 a', ['a']],
  ['ZMPOP 2 a b MIN', ['a', 'b']],
  ['LMPOP 2 a b LEFT COUNT 2', ['a', 'b']],
  ['BLMPOP 0 2 a b LEFT', ['a', 'b']],
  ['SINTERCARD 2 a b LIMIT 1', ['a', 'b']],
  ['ZINTERCARD 2 a b', ['a', 'b']],
  ['BLPOP a b 0', ['a', 'b']],
  ['BZPOPMIN a b 0', ['a', 'b']],
  ['EVAL script 2 a b x', ['a', 'b']],
  ['EVAL script 0 x', []],
  ['EVALSHA sha 1 a', ['a']],
  ['EVAL_RO script 1 a', ['a']],
  ['FCALL f 1 a b', ['a']],
  ['FCALL_RO f 2 a b', ['a', 'b']],
  ['EVAL script 3 a b', undefined],
  ['EVAL script x a b', undefined],
  ['EVAL script -1 a b', undefined],
  ['EVAL script 9223372036854775807 a b', undefined],
  ['ZUNIONSTORE d 3 a b', undefined],
  ['GEORADIUS a 1 2 3 m', ['a']],
  ['GEORADIUS a 1 2 3 m STORE b', ['a', 'b']],
  ['GEORADIUS a 1 2 3 m ASC STOREDIST b', ['a', 'b']],
  ['GEORADIUSBYMEMBER a m 3 m COUNT 1 STORE b', ['a', 'b']],
  ['GEOSEARCHSTORE d s FROMMEMBER m BYRADIUS 1 m', ['d', 's']],
  ['XGROUP CREATE a g $', ['a']],
  ['XINFO STREAM a', ['a']],
  ['MEMORY USAGE a SAMPLES 1', ['a']],
  ['OBJECT ENCODING a', ['a']],
  ['SMOVE a b m', ['a', 'b']],
  ['LCS a b LEN', ['a', 'b']],
  ['PFMERGE d a b', ['d', 'a', 'b']],
  ['SPUBLISH c m', ['c']],
  ['PING', []],
];

describe('keyPositions', () => {
  for (const [request, keys] of REQUESTS) {
    it(`keyPositions of ${request}`, () => assert.deepEqual(keysOf(request.split(' ')), keys));
  }

  it('finds a keyword backwards from the end, and behind a limit of 0 and 1', () => {
    const spec = (begin: KeySpec['begin'], find: KeySpec['find']): CommandSpec => ({
      ...(SHIPPED_TABLE.findByName('get') as Command).spec,
      keySpecs: [{ begin, find, flags: [] }],
    });
    const keys = (of: CommandSpec, request: string): number[] => {
      const out = new KeyPositions();
      keyPositions(of, requestOf(...request.split(' ')), out);
      return Array.from({ length: out.count }, (_, i) => out.at(i));
    };
    const range = (limit: number) => ({ kind: 'range', lastKey: -1, keyStep: 1, limit }) as const;
    const backwards = spec({ kind: 'keyword', keyword: 'keys', startFrom: -2 }, range(0));
    assert.deepEqual(keys(backwards, 'X keys a KEYS b c'), [4, 5]);
    assert.deepEqual(keys(backwards, 'X a b'), []);
    assert.deepEqual(keys(backwards, 'KEYS a b'), []);
    assert.deepEqual(keys(spec({ kind: 'index', index: 1 }, range(1)), 'X a b c'), [1, 2, 3]);
    assert.deepEqual(keys(spec({ kind: 'index', index: 3 }, range(0)), 'X a'), []);
    assert.deepEqual(
      keys(spec({ kind: 'index', index: 3 }, { kind: 'range', lastKey: 0, keyStep: 1, limit: 0 }), 'X a'),
      [],
    );
    const keynum = { kind: 'keynum', keyNumIndex: 0, firstKey: 1, keyStep: 1 } as const;
    assert.deepEqual(keys(spec({ kind: 'index', index: 3 }, keynum), 'X a'), []);
  });

  it('forgets what a huge request left', () => {
    const out = new KeyPositions();
    const many = Array.from({ length: 10_000 }, (_, i) => `k${i}`);
    keyPositions(commandOf(['MGET']).spec, requestOf('MGET', ...many), out);
    assert.deepEqual([out.count, out.at(9999), out.step], [10_000, 10_000, 1]);
    keyPositions(commandOf(['MSET']).spec, requestOf('MSET', 'a', '1', 'b', '2'), out);
    assert.deepEqual([out.count, out.at(1), out.step], [2, 3, 2]);
    keyPositions(commandOf(['PING']).spec, requestOf('PING'), out);
    assert.deepEqual([out.count, out.step], [0, 1]);
  });
});

/** Requests of a command with keys: as few arguments as it takes and some more, and sensible numbers of keys. */
function generated(command: Command, random: Random): string[][] {
  const words = command.name.split('|');
  const fewest = Math.abs(command.arity);
  const lengths = command.arity > 0 ? [fewest] : [fewest, fewest + 1, fewest + 2, fewest + 3 + random.below(4)];
  return lengths.map((length) => {
    const args = [...words, ...Array.from({ length: Math.max(0, length - words.length) }, (_, i) => `arg${i}`)];
    for (const { begin, find } of command.spec.keySpecs) {
      if (begin.kind !== 'index' || find.kind !== 'keynum') continue;
      const room = args.length - begin.index - find.firstKey;
      args[begin.index + find.keyNumIndex] = String(1 + random.below(Math.max(1, room)));
    }
    return args;
  });
}

describe('keyPositions and a real server', () => {
  const redis = plainRedis();

  /** It lacks a few commands, and gives some keys in another order. */
  const isOld = SERVER.version < 7;
  const inOrder = (keys: readonly string[]) => (isOld ? [...keys].sort() : keys);

  async function serverKeys(requests: readonly string[][]): Promise<unknown[]> {
    const client = await redis.connect();
    const replies = await client.pipeline(requests.map((args) => ['COMMAND', 'GETKEYS', ...args]));
    client.close();
    return replies.map(decodeReply);
  }

  it('say the same of a few hundred requests of all commands with keys', async (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const commands = SHIPPED_TABLE.commands
      .flatMap((command) => [command, ...(command.subcommands?.commands ?? [])])
      .filter(({ name, hasKeys }) => hasKeys && name !== 'migrate');
    const requests = commands.flatMap((command) => generated(command, random));
    assert.ok(requests.length > 300, `${requests.length}`);
    const answers = await serverKeys(requests);
    requests.forEach((args, i) => {
      const answer = answers[i];
      const own = keysOf(args) ?? [];
      // What the server refuses is its syntax error to tell; only where there are keys we must agree.
      if (!(answer instanceof Error)) assert.deepEqual(inOrder(own), inOrder(answer as string[]), args.join(' '));
    });
    const refused = answers.filter((answer) => answer instanceof Error).length;
    assert.ok(refused < requests.length / 4, `${refused} of ${requests.length} refused`);
  });

  it('say the same of the table above', async () => {
    // A shard channel is routed like a key, but the server does not call it one.
    const requests = REQUESTS.map(([request]) => request.split(' ')).filter(([name]) => name !== 'SPUBLISH');
    const answers = await serverKeys(requests);
    requests.forEach((args, i) => {
      const answer = answers[i];
      const own = keysOf(args) ?? [];
      if (isOld && String(answer).includes('Invalid command specified')) return;
      if (answer instanceof Error)
        assert.deepEqual(own, own.length === 0 ? [] : answer, `${args.join(' ')}: ${answer.message}`);
      else assert.deepEqual(inOrder(own), inOrder(answer as string[]), args.join(' '));
    });
  });
});
