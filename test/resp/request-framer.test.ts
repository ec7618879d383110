import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PROTOCOL } from '../../src/resp/errors.ts';
import { ASSEMBLY_BYTES } from '../../src/resp/receive-buffer.ts';
import { RequestFramer } from '../../src/resp/request-framer.ts';
import { countAllocations } from '../support/allocations.ts';
import { encodeCommand } from '../support/client.ts';
import { byteByByte, frameRequests, inChunks, inSharedChunks, splitAt } from '../support/framing.ts';
import { plainRedis } from '../support/plain-redis.ts';
import { Random } from '../support/random.ts';
import { textsOf } from '../support/request.ts';
import { SERVER } from '../support/versions.ts';

const MB = 1024 * 1024;

const CORPUS: [bytes: string, args: string[]][] = [
  ['*1\r\n$4\r\nPING\r\n', ['PING']],
  ['*0\r\n*-1\r\n*-5\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n', ['GET', 'k']],
  ['*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\n\r\n$1\r\n', ['SET', '', '\r\n$1']],
  ['PING\r\n', ['PING']],
  ['\r\n  \r\n\n  set\tk "a \\x41\\r\\n\\"" \'it\\\'s\'\n', ['set', 'k', 'a A\r\n"', "it's"]],
  ['$3 is an inline word\r\n', ['$3', 'is', 'an', 'inline', 'word']],
  ['*2\r\n$4\r\nECHO\r\n$300\r\n'.concat('\xff'.repeat(300), '\r\n'), ['ECHO', '\xff'.repeat(300)]],
  ['*1\r\n$11\r\n*1\r\n$1\r\nx\r\n\r\n', ['*1\r\n$1\r\nx\r\n']],
  ['*1\rX$1\rYa\r\n', ['a']],
  ['QUIT\n', ['QUIT']],
];
const STREAM = Buffer.from(CORPUS.map(([bytes]) => bytes).join(''), 'latin1');
const ARGS = CORPUS.map(([, args]) => args);

/** The bytes after `PING` of a stream that must not go on; `undefined`: Redis answers nothing yet. */
const ERRORS: [name: string, bytes: string, error: string | undefined][] = [
  ['a letter as count', '*a\r\n', PROTOCOL.invalidMultibulkLength],
  ['no count', '*\r\n', PROTOCOL.invalidMultibulkLength],
  ['a plus sign', '*+1\r\n', PROTOCOL.invalidMultibulkLength],
  ['a leading zero', '*01\r\n', PROTOCOL.invalidMultibulkLength],
  ['minus zero', '*-0\r\n', PROTOCOL.invalidMultibulkLength],
  ['only a minus', '*-\r\n', PROTOCOL.invalidMultibulkLength],
  ['letters behind a minus', '*-1x\r\n', PROTOCOL.invalidMultibulkLength],
  ['a blank in the count', '* 1\r\n', PROTOCOL.invalidMultibulkLength],
  ['a count of 2^31', '*2147483648\r\n', PROTOCOL.invalidMultibulkLength],
  ['a count of 20 digits', '*99999999999999999999\r\n', PROTOCOL.invalidMultibulkLength],
  ['a negative count of 24 digits', '*-999999999999999999999999\r\n', PROTOCOL.invalidMultibulkLength],
  ['a negative count beyond 64 bits', '*-9223372036854775809\r\n', PROTOCOL.invalidMultibulkLength],
  ['a count without its end', '*12', undefined],
  ['a bad count without its end', '*ab', undefined],
  ['a bad count without the byte behind its end', '*ab\r', undefined],
  ['a count without the byte behind its end', '*1\r', undefined],
  ['a count of 64 KB', `*${'1'.repeat(70_000)}`, PROTOCOL.tooBigMbulkCount],
  ['letters of 64 KB as count', `*${'x'.repeat(70_000)}`, PROTOCOL.tooBigMbulkCount],
  ['no dollar', '*1\r\n:3\r\nabc\r\n', PROTOCOL.expectedDollar(':')],
  ['a line break for a dollar', '*1\r\n\r\n', PROTOCOL.expectedDollar('\r')],
  ['no dollar in the second argument', '*2\r\n$1\r\na\r\nb\r\n', PROTOCOL.expectedDollar('b')],
  ['a byte beyond ASCII for a dollar', '*1\r\n\xe9\r\n', PROTOCOL.expectedDollar('\xe9')],
  ['no dollar, and no end yet', '*1\r\nabc', undefined],
  ['no dollar in 64 KB', `*1\r\n${'x'.repeat(70_000)}`, PROTOCOL.tooBigBulkCount],
  ['a bulk length of 64 KB', `*1\r\n$${'1'.repeat(70_000)}`, PROTOCOL.tooBigBulkCount],
  ['a letter as bulk length', '*1\r\n$x\r\n', PROTOCOL.invalidBulkLength],
  ['a negative bulk length', '*1\r\n$-1\r\n', PROTOCOL.invalidBulkLength],
  ['no bulk length', '*1\r\n$\r\n', PROTOCOL.invalidBulkLength],
  ['a bulk length beyond 512 MB', '*1\r\n$536870913\r\n', PROTOCOL.invalidBulkLength],
  ['a negative bulk length without its end', '*1\r\n$-1', undefined],
  ['an open quote', 'SET k "abc\r\n', PROTOCOL.unbalancedQuotes],
  ['an open apostrophe', "SET k 'abc\r\n", PROTOCOL.unbalancedQuotes],
  ['text behind a quote', 'SET k "a"b\r\n', PROTOCOL.unbalancedQuotes],
  ['an inline line of 64 KB', 'x'.repeat(70_000), PROTOCOL.tooBigInline],
];

/** Where Redis reads on: our own refusals. */
const OWN_ERRORS: [name: string, bytes: string, error: string][] = [
  ['TLS', '\x16\x03\x01\x02\x00', PROTOCOL.tlsNotSpoken],
  ['a bulk longer than announced', '*1\r\n$1\r\nab\r\n', PROTOCOL.bulkNotTerminated],
  ['a bulk shorter than announced', '*1\r\n$3\r\na\r\n*1\r\n', PROTOCOL.bulkNotTerminated],
  ['no line feed behind a bulk', '*1\r\n$1\r\na\rx', PROTOCOL.bulkNotTerminated],
];

describe('RequestFramer', () => {
  it('yields the same frames however the bytes are split: whole', () => {
    const { requests, error, framer } = frameRequests([Buffer.from(STREAM)]);
    assert.deepEqual([requests.map(({ args }) => args), error], [ARGS, '']);
    assert.equal(framer.bufferedBytes, 0);
  });

  it('yields the same frames however the bytes are split: byte by byte', () => {
    const { requests } = frameRequests(byteByByte(STREAM));
    assert.deepEqual(requests, frameRequests([STREAM]).requests);
  });

  it('yields the same frames however the bytes are split: in two at every position', () => {
    const whole = frameRequests([STREAM]).requests;
    for (let at = 0; at <= STREAM.length; at++) {
      assert.deepEqual(frameRequests(splitAt(STREAM, at)).requests, whole, `split at ${at}`);
    }
  });

  for (const size of [2, 3, 7, 64, 1000]) {
    it(`yields the same frames however the bytes are split: in chunks of ${size}`, () => {
      assert.deepEqual(frameRequests(inChunks(STREAM, size)).requests, frameRequests([STREAM]).requests);
    });
  }

  it('yields the same frames when every chunk is read into the same memory', () => {
    const { requests } = frameRequests([STREAM]);
    for (const size of [1, 5, 16, 100, 1000]) {
      assert.deepEqual(frameRequests(inSharedChunks(inChunks(STREAM, size))).requests, requests, `chunks of ${size}`);
    }
    for (let at = 0; at <= STREAM.length; at++) {
      assert.deepEqual(frameRequests(inSharedChunks(splitAt(STREAM, at))).requests, requests, `split at ${at}`);
    }
  });

  it('keeps what was not taken when it is told so in the middle of a pipeline', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    for (let round = 0; round < 300; round++) {
      const framer = new RequestFramer({ maxRequestBytes: 2 ** 29 });
      const taken: string[][] = [];
      const take = (most: number): boolean => {
        for (let i = 0; i < most; i++) {
          if (framer.next() !== 'request') return true;
          taken.push(textsOf(framer.request));
        }
        return false;
      };
      for (const chunk of inSharedChunks(random.chunks(STREAM, 1 + random.below(400)))) {
        framer.push(chunk);
        if (!take(random.below(6))) framer.keep();
      }
      take(Number.POSITIVE_INFINITY);
      assert.deepEqual(taken, ARGS);
      assert.equal(framer.bufferedBytes, 0);
    }
  });

  it('gives multibulk frames as they came, without what was ignored before them, and inline ones as multibulk', () => {
    const frames = frameRequests([STREAM]).requests.map(({ frame }) => frame);
    assert.equal(frames[1], '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n');
    assert.equal(frames[3], '*1\r\n$4\r\nPING\r\n');
    assert.equal(frames[8], '*1\rX$1\rYa\r\n');
  });

  for (const [name, bytes, error = ''] of [...ERRORS, ...OWN_ERRORS]) {
    it(`RequestFramer refuses ${name}, after the good requests before it, however it is split`, () => {
      const stream = Buffer.from(`*1\r\n$4\r\nPING\r\n${bytes}`, 'latin1');
      const positions = stream.length < 1000 ? stream.keys() : [1, 15, 16, 40_000, 65_551, 65_552, 65_553];
      for (const at of positions) {
        const run = frameRequests(splitAt(stream, at));
        assert.deepEqual([run.requests.map(({ args }) => args), run.error], [[['PING']], error], `split at ${at}`);
      }
      assert.equal(frameRequests(inChunks(stream, 4096)).error, error);
    });
  }

  it('refuses what is beyond 64 KB also when it is whole', () => {
    for (const [bytes, error] of [
      [`*${'1'.repeat(70_000)}\r\n`, PROTOCOL.tooBigMbulkCount],
      [`*1\r\n$${'1'.repeat(70_000)}\r\n`, PROTOCOL.tooBigBulkCount],
      [`${'x'.repeat(70_000)}\r\n`, PROTOCOL.tooBigInline],
    ] as const) {
      assert.equal(frameRequests([Buffer.from(bytes)]).error, error);
      assert.equal(frameRequests(inChunks(Buffer.from(bytes), 1000)).error, error);
    }
  });

  it('keeps to max_request_bytes, for one bulk and for all together, at its header', () => {
    const max = 64;
    const exact = encodeCommand(['SET', 'k', 'x'.repeat(max - 27)]);
    assert.equal(exact.length, max);
    assert.equal(frameRequests([exact], max).requests.length, 1);
    assert.equal(
      frameRequests([encodeCommand(['SET', 'k', 'x'.repeat(max - 26)])], max).error,
      PROTOCOL.requestTooLarge(max),
    );
    assert.equal(frameRequests([Buffer.from('*2\r\n$3\r\nGET\r\n$65\r\n')], max).error, PROTOCOL.invalidBulkLength);
    const many = Buffer.from(`*100\r\n${'$1\r\na\r\n'.repeat(20)}`);
    assert.equal(frameRequests(inChunks(many, 5), max).error, PROTOCOL.requestTooLarge(max));
    assert.equal(frameRequests([Buffer.concat([exact, exact])], max).requests.length, 2, 'a limit of one request');
  });

  for (const bytes of [
    '*1000000\r\n',
    '*2147483647\r\n',
    '*1\r\n$536870000\r\n',
    '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536000000\r\nabc',
  ]) {
    it(`reserves nothing for ${JSON.stringify(bytes)}`, (t) => {
      const made = countAllocations(t);
      const framer = new RequestFramer({ maxRequestBytes: 2 ** 29 });
      framer.push(Buffer.from(bytes));
      assert.equal(framer.next(), 'more');
      for (let i = 0; i < 4; i++) {
        framer.push(Buffer.from('$1\r\n'));
        framer.next();
      }
      assert.ok(made.total < 1024, `${made.total} bytes were allocated`);
      assert.ok(framer.request.bytes.length < 1024);
    });
  }

  it('does linear work for 64 MB in chunks of 16 KB, and holds at most twice what has come', (t) => {
    const chunk = Buffer.alloc(16 * 1024, 'x');
    const framer = new RequestFramer({ maxRequestBytes: 2 ** 29 });
    const made = countAllocations(t);
    framer.push(Buffer.from(`*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${64 * MB}\r\n`));
    assert.equal(framer.next(), 'request');
    assert.equal(framer.next(), 'more');
    for (let i = 0; i < 4096; i++) {
      framer.push(chunk);
      assert.equal(framer.next(), 'more');
      assert.ok(made.largest <= 2.1 * framer.bufferedBytes, `${made.largest} for ${framer.bufferedBytes}`);
    }
    framer.push(Buffer.from('\r\n'));
    assert.equal(framer.next(), 'request');
    assert.equal(framer.request.argLength(2), 64 * MB);
    assert.ok(made.total < 64 * MB * 4, `${made.total} bytes allocated for 64 MB`);
    assert.equal(framer.next(), 'more');
    assert.equal(framer.bufferedBytes, 0);
  });

  it('takes an MSET of 200,000 small arguments over many chunks in linear work', (t) => {
    const args = ['MSET', ...Array.from({ length: 200_000 }, (_, i) => `k${i}`)];
    const bytes = encodeCommand(args);
    const chunks = [...inChunks(bytes, 1000)];
    const framer = new RequestFramer({ maxRequestBytes: 2 ** 29 });
    const made = countAllocations(t);
    for (const chunk of chunks) {
      assert.equal(framer.next(), 'more');
      framer.push(chunk);
    }
    assert.equal(framer.next(), 'request');
    assert.ok(made.total < bytes.length * 5, `${made.total} bytes allocated for ${bytes.length}`);
    assert.deepEqual(textsOf(framer.request), args);
    framer.push(encodeCommand(['PING']));
    assert.equal(framer.next(), 'request');
    assert.deepEqual(textsOf(framer.request), ['PING']);
  });

  it('never overwrites a frame beyond ASSEMBLY_BYTES: it may be lent', () => {
    const framer = new RequestFramer({ maxRequestBytes: 2 ** 29 });
    const values = [ASSEMBLY_BYTES + 1, 300_000, 10, 1_000_000].map((size, i) => Buffer.alloc(size, 0x61 + i));
    const lent: { slice: Buffer; expected: Buffer }[] = [];
    const stream = Buffer.concat([...values, ...values].map((value) => encodeCommand(['SET', 'k', value])));
    for (const chunk of inChunks(stream, 65_536)) {
      framer.push(chunk);
      while (framer.next() === 'request') {
        const { bytes, start, end } = framer.request;
        const slice = bytes.subarray(start, end);
        if (slice.length > ASSEMBLY_BYTES) lent.push({ slice, expected: Buffer.from(slice) });
      }
      chunk.fill(0xee);
    }
    assert.equal(lent.length, 6);
    for (const { slice, expected } of lent) assert.equal(slice.compare(expected), 0);
  });

  it('lets a pipeline be taken in parts: what is not taken waits, and more may come meanwhile', () => {
    const framer = new RequestFramer({ maxRequestBytes: 2 ** 29 });
    const one = encodeCommand(['ECHO', 'a']);
    framer.push(Buffer.concat([one, one, one.subarray(0, 5)]));
    assert.equal(framer.next(), 'request');
    assert.equal(framer.bufferedBytes, one.length * 2 + 5);
    framer.push(Buffer.concat([one.subarray(5), one]));
    for (let i = 0; i < 3; i++) {
      assert.equal(framer.next(), 'request');
      assert.deepEqual(textsOf(framer.request), ['ECHO', 'a']);
    }
    assert.equal(framer.next(), 'more');
    framer.push(Buffer.alloc(0));
    assert.equal(framer.next(), 'more');
  });

  it('gives text, copies, words and integers of arguments', () => {
    const framer = new RequestFramer({ maxRequestBytes: 1000 });
    framer.push(encodeCommand(['GeT', '-12', Buffer.of(0xff), '']));
    framer.next();
    const { request } = framer;
    assert.equal(request.isWord(0, 'get'), true);
    assert.equal(request.isWord(0, 'gets'), false);
    assert.equal(request.integerAt(1), -12);
    assert.equal(request.argText(2), '\xff');
    const copy = request.argCopy(2);
    request.bytes.fill(0);
    assert.deepEqual(copy, Buffer.of(0xff));
    assert.equal(request.argLength(3), 0);
    assert.equal(request.headerStart(4), request.end);
  });
});

describe('RequestFramer and a real server', () => {
  const redis = plainRedis();

  for (const [name, bytes, error] of ERRORS) {
    const readsOn = name === 'text behind a quote' && SERVER.isValkey && SERVER.version >= 9;
    it(`say the same to ${name}`, { skip: readsOn ? 'Valkey 9 takes it for a part of the word' : false }, async () => {
      const client = await redis.connect();
      client.send(Buffer.from(`*1\r\n$4\r\nPING\r\n${bytes}`, 'latin1'));
      if (error === undefined) {
        // Nothing is said: the half line waits until we end it, and then is an error or the beginning of a request.
        assert.equal(String(await client.reply()), '+PONG\r\n');
        client.endWrites();
        assert.deepEqual(await client.repliesUntilEnd(), []);
        return;
      }
      const replies = await client.repliesUntilEnd();
      // Redis writes line breaks as blanks too.
      assert.deepEqual(
        replies.map((reply) => reply.toString('latin1')),
        ['+PONG\r\n', `-${error.replaceAll(/[\r\n]/g, ' ')}\r\n`],
      );
    });
  }

  it('ignore *0, *-1 and *-5', async () => {
    const client = await redis.connect();
    client.send('*0\r\n*-1\r\n*-5\r\nPING\r\n');
    assert.equal(String(await client.reply()), '+PONG\r\n');
    client.close();
  });
});
