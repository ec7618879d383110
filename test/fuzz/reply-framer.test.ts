/** Seeded: streams of replies of every type, nested, good and spoiled, in random chunks; redis-parser knows RESP2. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import RedisParser from 'redis-parser';
import { frameReplies } from '../support/framing.ts';
import { Random } from '../support/random.ts';

const ROUNDS = 1500;
const MAX_REPLY_BYTES = 5000;
const MAX_DEPTH = 6;

type Maker = (random: Random, depth: number) => string;

function text(random: Random): string {
  return Array.from({ length: random.below(20) }, () => random.pick(['a', ' ', '\xff', '\n', '+', '$'])).join('');
}

function bulk(type: string): Maker {
  return (random) => {
    const value = random.bytes(random.pick([0, 1, random.below(30), random.below(300)])).toString('latin1');
    return `${type}${value.length}\r\n${value}\r\n`;
  };
}

function aggregate(type: string, perEntry: number, makers: () => readonly Maker[]): Maker {
  return (random, depth) => {
    const count = depth >= MAX_DEPTH ? 0 : random.below(5);
    const elements = Array.from({ length: count * perEntry }, () => random.pick(makers())(random, depth + 1));
    return `${type}${count}\r\n${elements.join('')}`;
  };
}

const RESP2: Maker[] = [
  (random) => `+${text(random)}\r\n`,
  (random) => `-ERR ${text(random)}\r\n`,
  (random) => `:${random.below(2 ** 31) - 2 ** 30}\r\n`,
  bulk('$'),
  () => '$-1\r\n',
  () => '*-1\r\n',
  aggregate('*', 1, () => RESP2),
];

const RESP3: Maker[] = [
  ...RESP2,
  () => '_\r\n',
  (random) => `#${random.pick(['t', 'f'])}\r\n`,
  (random) => `,${random.below(1000) / 7}\r\n`,
  (random) => `(${'9'.repeat(1 + random.below(100))}\r\n`,
  bulk('!'),
  bulk('='),
  aggregate('%', 2, () => RESP3),
  aggregate('~', 1, () => RESP3),
  (random, depth) => aggregate('|', 2, () => RESP3)(random, depth) + random.pick(RESP2)(random, MAX_DEPTH),
  (random) =>
    `$?\r\n${Array.from({ length: random.below(4) }, () => `;3\r\n${random.bytes(3).toString('latin1')}\r\n`).join('')};0\r\n`,
  (random, depth) => {
    const count = depth >= MAX_DEPTH ? 0 : random.below(4);
    return `*?\r\n${Array.from({ length: count }, () => random.pick(RESP3)(random, depth + 1)).join('')}.\r\n`;
  },
];

function oneOf(makers: readonly Maker[], random: Random): string {
  return random.pick(makers)(random, 0);
}

/** The values that redis-parser finds, errors as text; undefined when it gives up. */
function parsed(stream: Buffer): unknown[] | undefined {
  const values: unknown[] = [];
  let isFatal = false;
  const parser = new RedisParser({
    returnReply: (reply: unknown) => values.push(reply),
    returnError: (error: Error) => values.push(error.message),
    returnFatalError: () => {
      isFatal = true;
    },
  });
  parser.execute(stream);
  return isFatal ? undefined : values;
}

describe('ReplyFramer under fuzz', () => {
  it('cuts random RESP2 replies in random chunks as redis-parser does', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) {
      const frames = Array.from({ length: 1 + random.below(5) }, () => oneOf(RESP2, random));
      const stream = Buffer.from(frames.join(''), 'latin1');
      const run = frameReplies(random.chunks(stream, 1 + random.below(300)));
      assert.deepEqual([run.frames, run.end], [frames, 'more']);
      const one = run.frames.map((frame) => parsed(Buffer.from(frame, 'latin1')));
      assert.deepEqual(one.flat(1), parsed(stream));
    }
  });

  it('cuts random RESP3 replies in random chunks', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) {
      const frames = Array.from({ length: 1 + random.below(5) }, () => oneOf(RESP3, random));
      const stream = Buffer.from(frames.join(''), 'latin1');
      assert.deepEqual(frameReplies([stream]).frames, frames);
      assert.deepEqual(frameReplies(random.chunks(stream, 1 + random.below(100))).frames, frames);
    }
  });

  it('lets only known outcomes out of spoiled streams, the same however they are split', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const seen = new Set<string>();
    for (let round = 0; round < ROUNDS * 4; round++) {
      const makers = random.pick([RESP2, RESP3]);
      const frames = Array.from({ length: 1 + random.below(4) }, () => oneOf(makers, random));
      const stream = random.mutate(Buffer.from(frames.join(''), 'latin1'));
      const whole = frameReplies([stream], 2 ** 29);
      const other = frameReplies(random.chunks(stream, 1 + random.below(50)), 2 ** 29);
      assert.deepEqual([other.frames, other.end], [whole.frames, whole.end], JSON.stringify(stream.toString('latin1')));
      const joined = whole.frames.map((frame) => frame.replace(/^push /, '')).join('');
      assert.ok(stream.toString('latin1').startsWith(joined), 'frames are the stream, byte for byte');
      assert.ok(whole.framer.bufferedBytes <= stream.length);
      seen.add(whole.end);
      seen.add(frameReplies(random.chunks(stream, 50), 200).end);
    }
    assert.deepEqual([...seen].sort(), ['malformed', 'more', 'too_large']);
  });

  it('agrees with redis-parser on how many replies a spoiled RESP2 stream holds, unless it refuses it', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    let comparedCount = 0;
    for (let round = 0; round < ROUNDS * 2; round++) {
      const stream = random.mutate(Buffer.from(oneOf(RESP2, random) + oneOf(RESP2, random), 'latin1'));
      const text = stream.toString('latin1');
      // redis-parser allocates what is announced, and does not know RESP3.
      if (/[*$]\d{5}/.test(text)) continue;
      const { frames, end } = frameReplies([stream]);
      const values = end === 'more' ? parsed(stream) : undefined;
      if (values === undefined) continue;
      assert.equal(frames.length, values.length, JSON.stringify(text));
      comparedCount++;
    }
    assert.ok(comparedCount > 100, `${comparedCount}`);
  });

  it('survives noise', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) {
      const noise = Buffer.concat([
        Buffer.from(random.pick(['', '*9\r\n', '%9\r\n', '*?\r\n'])),
        random.bytes(random.below(200)),
      ]);
      const { end } = frameReplies(random.chunks(noise, 20), MAX_REPLY_BYTES);
      assert.ok(['more', 'malformed', 'too_large'].includes(end));
    }
  });
});
