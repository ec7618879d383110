/** Seeded: streams of requests, good and spoiled, in random chunks. redis-parser reads what RequestFramer cuts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import RedisParser from 'redis-parser';
import { PROTOCOL } from '../../src/resp/errors.ts';
import { encodeCommand } from '../support/client.ts';
import { frameRequests } from '../support/framing.ts';
import { Random } from '../support/random.ts';

const ROUNDS = 1500;
const MAX_REQUEST_BYTES = 2000;

const TEXTS = new Set<string>(
  Object.values(PROTOCOL).map((text) =>
    typeof text === 'string' ? text : (text as (x: unknown) => string)(MAX_REQUEST_BYTES),
  ),
);

function isKnown(error: string): boolean {
  return error === '' || TEXTS.has(error) || /^ERR Protocol error: expected '\$', got '[\s\S]'$/.test(error);
}

function randomArgs(random: Random): Buffer[] {
  const length = () => random.pick([0, 1, 3, random.below(40), random.below(400)]);
  return Array.from({ length: 1 + random.below(6) }, () => random.bytes(length()));
}

/** What redis-parser makes of one frame: the arguments of an array of bulks. */
function parsed(frame: string): string[] | undefined {
  let args: string[] | undefined;
  const parser = new RedisParser({
    returnBuffers: true,
    returnReply: (reply: unknown) => {
      args = (reply as Buffer[]).map((argument) => argument.toString('latin1'));
    },
    returnError: () => {},
    returnFatalError: () => {},
  });
  parser.execute(Buffer.from(frame, 'latin1'));
  return args;
}

describe('RequestFramer under fuzz', () => {
  it('cuts random requests in random chunks as redis-parser does', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) {
      const commands = Array.from({ length: 1 + random.below(5) }, () => randomArgs(random));
      const stream = Buffer.concat(commands.map(encodeCommand));
      const { requests, error } = frameRequests(random.chunks(stream, 1 + random.below(300)));
      const expected = commands.map((args) => args.map((argument) => argument.toString('latin1')));
      assert.equal(error, '');
      assert.deepEqual(
        requests.map(({ args }) => args),
        expected,
      );
      assert.deepEqual(
        requests.map(({ frame }) => parsed(frame)),
        expected,
      );
    }
  });

  it('lets only known errors out of spoiled streams, the same however they are split', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const seen = new Set<string>();
    for (let round = 0; round < ROUNDS * 4; round++) {
      const commands = Array.from({ length: 1 + random.below(4) }, () => encodeCommand(randomArgs(random)));
      const lines = random.pick([[], [Buffer.from('set k "v\\x41"\r\n')], [Buffer.from("\r\nECHO 'a\\''\n")]]);
      const stream = random.mutate(Buffer.concat([...commands, ...lines]));
      const one = frameRequests([stream], MAX_REQUEST_BYTES);
      const other = frameRequests(random.chunks(stream, 1 + random.below(50)), MAX_REQUEST_BYTES);
      assert.ok(isKnown(one.error), one.error);
      assert.deepEqual(
        [other.requests, other.error],
        [one.requests, one.error],
        JSON.stringify(stream.toString('latin1')),
      );
      assert.ok(one.framer.bufferedBytes <= stream.length);
      for (const { args, frame } of one.requests) {
        if (!frame.includes('\r$') || /\r[^\n]/.test(frame)) continue;
        assert.deepEqual(parsed(frame), args);
      }
      seen.add(one.error.slice(0, 40));
    }
    assert.ok(seen.size > 5, `only ${[...seen]}`);
  });

  it('survives noise', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    for (let round = 0; round < ROUNDS; round++) {
      const noise = random.bytes(random.below(200));
      const { error } = frameRequests(random.chunks(noise, 20), MAX_REQUEST_BYTES);
      assert.ok(isKnown(error), error);
    }
  });
});
