import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ASSEMBLY_BYTES } from '../../src/resp/receive-buffer.ts';
import { ReplyFramer } from '../../src/resp/reply-framer.ts';
import { countAllocations } from '../support/allocations.ts';
import { byteByByte, frameReplies, inChunks, inSharedChunks, splitAt } from '../support/framing.ts';

const MB = 1024 * 1024;

const FRAMES: [name: string, frame: string][] = [
  ['a status', '+OK\r\n'],
  ['an empty status', '+\r\n'],
  ['a long status', `+${'s'.repeat(200)}\r\n`],
  ['a status with a line feed', '+a\nb\r\n'],
  ['an error', '-ERR x y\r\n'],
  ['an integer', ':-12\r\n'],
  ['a bulk', '$5\r\na\r\nbc\r\n'],
  ['an empty bulk', '$0\r\n\r\n'],
  ['a null bulk', '$-1\r\n'],
  ['a bulk with every byte', `$256\r\n${String.fromCharCode(...Array(256).keys())}\r\n`],
  ['an array', '*2\r\n$1\r\na\r\n:1\r\n'],
  ['an empty array', '*0\r\n'],
  ['a null array', '*-1\r\n'],
  ['nested arrays', '*3\r\n*2\r\n*0\r\n*1\r\n+a\r\n*-1\r\n*1\r\n*1\r\n*1\r\n$-1\r\n'],
  ['a null', '_\r\n'],
  ['booleans', '*2\r\n#t\r\n#f\r\n'],
  ['doubles', '*4\r\n,1.5\r\n,-inf\r\n,nan\r\n,1e300\r\n'],
  ['a big number', '(-3492890328409238509324850943850943825024385\r\n'],
  ['a bulk error', '!10\r\nERR a\r\nb\r\n\r\n'],
  ['a verbatim string', '=7\r\ntxt:abc\r\n'],
  ['a map', '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n'],
  ['an empty map', '%0\r\n'],
  ['a set', '~2\r\n+a\r\n+b\r\n'],
  ['an attribute before a reply', '|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n'],
  ['attributes before a reply', '|1\r\n+a\r\n+b\r\n|2\r\n+c\r\n+d\r\n+e\r\n%1\r\n+f\r\n+g\r\n+v\r\n'],
  ['an empty attribute', '|0\r\n+v\r\n'],
  ['an attribute of an element', '*3\r\n:1\r\n|1\r\n+ttl\r\n:1\r\n:2\r\n:3\r\n'],
  ['an attribute of the last element', '*2\r\n:1\r\n|1\r\n+ttl\r\n:1\r\n:2\r\n'],
  ['an attribute within an attribute', '|1\r\n|1\r\n+x\r\n+y\r\n+k\r\n+v\r\n+reply\r\n'],
  ['a streamed bulk', '$?\r\n;4\r\nHell\r\n;6\r\no\r\nwor\r\n;1\r\nd\r\n;0\r\n'],
  ['an empty streamed bulk', '$?\r\n;0\r\n'],
  ['a streamed array', '*?\r\n:1\r\n:2\r\n:3\r\n.\r\n'],
  ['an empty streamed array', '*?\r\n.\r\n'],
  [
    'a streamed set in a streamed map in an array',
    '*2\r\n%?\r\n+a\r\n~?\r\n+b\r\n*1\r\n+c\r\n.\r\n.\r\n$?\r\n;1\r\nx\r\n;0\r\n',
  ],
];
const PUSHES: [name: string, frame: string][] = [
  ['a push', '>3\r\n+message\r\n$1\r\nc\r\n*1\r\n+x\r\n'],
  ['an empty push', '>0\r\n'],
  ['a push behind an attribute', '|1\r\n+a\r\n+b\r\n>1\r\n+x\r\n'],
];
const STREAM = Buffer.from([...FRAMES, ...PUSHES, ...FRAMES].map(([, frame]) => frame).join(''), 'latin1');
const EXPECTED = [
  ...FRAMES.map(([, frame]) => frame),
  ...PUSHES.map(([, frame]) => `push ${frame}`),
  ...FRAMES.map(([, frame]) => frame),
];

const MALFORMED: [name: string, bytes: string][] = [
  ['a letter', 'OK\r\n'],
  ['a line break', '\r\n'],
  ['a byte beyond ASCII', '\xff'],
  ['a carriage return within a line', '+a\rb\r\n'],
  ['a carriage return far within a line', `+${'a'.repeat(100)}\rb\r\n`],
  ['a bulk without a length', '$\r\n'],
  ['a letter as length', '$x\r\n'],
  ['a leading zero', '$01\r\n'],
  ['a length of 16 digits', '$1000000000000000\r\n'],
  ['a length that does not end', `$${'1'.repeat(80)}`],
  ['a length of digits without end', `*-${'1'.repeat(20)}${'\r'.repeat(50)}`],
  ['no line feed behind a length', '$1\rXa\r\n'],
  ['no line feed behind a count', '*1\rX:1\r\n'],
  ['no line feed behind a negative length', '$-1\rX'],
  ['a bulk longer than announced', '$1\r\nab\r\n'],
  ['no line feed behind a bulk', '$1\r\na\rb'],
  ['a count with letters', '*1a\r\n'],
  ['a count of a plus sign', '*+1\r\n'],
  ['a streamed push', '>?\r\n'],
  ['a streamed attribute', '|?\r\n'],
  ['text behind a stream mark', '*?x\r\n'],
  ['no line feed behind a stream mark', '*?\rx'],
  ['an end of nothing', '.\r\n'],
  ['an end in an array', '*2\r\n:1\r\n.\r\n'],
  ['text behind an end', '*?\r\n.x\r\n'],
  ['no line feed behind an end', '*?\r\n.\rx'],
  ['a chunk of nothing', ';1\r\na\r\n'],
  ['another type in a streamed bulk', '$?\r\n+a\r\n'],
  ['a chunk of a negative length', '$?\r\n;-1\r\n'],
  ['a chunk without a length', '$?\r\n;x\r\n'],
  ['a chunk longer than announced', '$?\r\n;1\r\nab\r\n'],
];

describe('ReplyFramer', () => {
  for (const [name, frame] of FRAMES) {
    it(`ReplyFramer cuts ${name}`, () => {
      assert.deepEqual(frameReplies([Buffer.from(frame, 'latin1')]).frames, [frame]);
    });
  }

  for (const [name, frame] of PUSHES) {
    it(`ReplyFramer tells ${name} from a reply`, () => {
      assert.deepEqual(frameReplies([Buffer.from(`${frame}+OK\r\n`)]).frames, [`push ${frame}`, '+OK\r\n']);
    });
  }

  it('yields the same frames however the bytes are split: whole, and byte by byte', () => {
    assert.deepEqual(frameReplies([STREAM]).frames, EXPECTED);
    const { frames, framer } = frameReplies(byteByByte(STREAM));
    assert.deepEqual(frames, EXPECTED);
    assert.equal(framer.bufferedBytes, 0);
  });

  it('yields the same frames however the bytes are split: in two at every position', () => {
    for (let at = 0; at <= STREAM.length; at++) {
      assert.deepEqual(frameReplies(splitAt(STREAM, at)).frames, EXPECTED, `split at ${at}`);
    }
  });

  for (const size of [2, 3, 7, 64, 1000]) {
    it(`yields the same frames however the bytes are split: in chunks of ${size}`, () => {
      assert.deepEqual(frameReplies(inChunks(STREAM, size)).frames, EXPECTED);
    });
  }

  it('yields the same frames when every chunk is read into the same memory', () => {
    for (const size of [1, 5, 16, 100, 1000]) {
      assert.deepEqual(frameReplies(inSharedChunks(inChunks(STREAM, size))).frames, EXPECTED, `chunks of ${size}`);
    }
    for (let at = 0; at <= STREAM.length; at++) {
      assert.deepEqual(frameReplies(inSharedChunks(splitAt(STREAM, at))).frames, EXPECTED, `split at ${at}`);
    }
  });

  for (const [name, bytes] of MALFORMED) {
    it(`ReplyFramer ends with 'malformed' at ${name}, behind the good replies before it, however it is split`, () => {
      const stream = Buffer.from(`+OK\r\n${bytes}${'x'.repeat(70)}`, 'latin1');
      for (let at = 0; at <= stream.length; at++) {
        const { frames, end } = frameReplies(splitAt(stream, at));
        assert.deepEqual([frames, end], [['+OK\r\n'], 'malformed'], `split at ${at}`);
      }
      assert.equal(frameReplies(byteByByte(stream)).end, 'malformed');
    });
  }

  it('waits for the rest of every frame, whatever is missing', () => {
    for (const [name, frame] of [...FRAMES, ...PUSHES]) {
      const bytes = Buffer.from(frame, 'latin1');
      for (let length = 0; length < bytes.length; length++) {
        const { frames, end, framer } = frameReplies([bytes.subarray(0, length)]);
        assert.deepEqual([frames, end, framer.bufferedBytes], [[], 'more', length], `${name}, ${length} bytes`);
      }
    }
  });

  const TOO_LARGE: [name: string, bytes: string][] = [
    ['an announced bulk', '$101\r\n'],
    ['an announced bulk in an array', '*3\r\n:1\r\n$90\r\n'],
    ['an announced chunk', '$?\r\n;90\r\n'],
    ['a line without end', `+${'a'.repeat(101)}`],
    ['an array that does not end', `*100\r\n${':1\r\n'.repeat(26)}`],
    ['nesting that does not end', '*1\r\n'.repeat(26)],
    ['a streamed bulk', `$?\r\n${';1\r\na\r\n'.repeat(15)}`],
  ];
  for (const [name, bytes] of TOO_LARGE) {
    it(`ReplyFramer ends with 'too_large' at ${name} beyond the limit`, () => {
      assert.equal(frameReplies([Buffer.from(bytes)], 100).end, 'too_large');
      assert.equal(frameReplies(inChunks(Buffer.from(`+OK\r\n${bytes}`), 3), 100).end, 'too_large');
    });
  }

  it('has no limit for all replies together', () => {
    const stream = Buffer.from('$90\r\n'.concat('x'.repeat(90), '\r\n').repeat(50));
    assert.equal(frameReplies(inChunks(stream, 33), 100).frames.length, 50);
  });

  it('cuts arrays as deep as the limit of bytes lets them be', () => {
    const depth = 200_000;
    const frame = `${'*1\r\n'.repeat(depth)}:1\r\n`;
    const { frames } = frameReplies(inChunks(Buffer.from(frame), 65_536));
    assert.equal(frames.length, 1);
    assert.equal(frames[0]?.length, frame.length);
  });

  for (const bytes of [
    '*1000000\r\n',
    '*999999999999999\r\n',
    '$536870000\r\n',
    '%100000000\r\n',
    '$536870000\r\nabc',
  ]) {
    it(`reserves nothing for ${JSON.stringify(bytes)}`, (t) => {
      const made = countAllocations(t);
      const framer = new ReplyFramer(2 ** 29);
      framer.push(Buffer.from(bytes));
      assert.equal(framer.next(), 'more');
      framer.push(Buffer.from('x'));
      framer.next();
      assert.ok(made.total < 512, `${made.total} bytes were allocated`);
    });
  }

  it('does linear work for 64 MB in chunks of 16 KB, and holds at most twice what has come', (t) => {
    const chunk = Buffer.alloc(16 * 1024, 'x');
    const framer = new ReplyFramer(2 ** 29);
    const made = countAllocations(t);
    framer.push(Buffer.from(`+OK\r\n$${64 * MB}\r\n`));
    assert.equal(framer.next(), 'reply');
    assert.equal(framer.next(), 'more');
    for (let i = 0; i < 4096; i++) {
      framer.push(chunk);
      assert.equal(framer.next(), 'more');
      assert.ok(made.largest <= 2.1 * framer.bufferedBytes, `${made.largest} for ${framer.bufferedBytes}`);
    }
    framer.push(Buffer.from('\r\n'));
    assert.equal(framer.next(), 'reply');
    assert.equal(framer.end - framer.start, 64 * MB + 13);
    assert.ok(made.total < 64 * MB * 4, `${made.total} bytes allocated for 64 MB`);
  });

  it('never overwrites a frame beyond ASSEMBLY_BYTES: it may be lent', () => {
    const framer = new ReplyFramer(2 ** 29);
    const values = [ASSEMBLY_BYTES + 1, 300_000, 10, 1_000_000].map((size, i) => Buffer.alloc(size, 0x61 + i));
    const frames = values.map((value) =>
      Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')]),
    );
    const lent: { slice: Buffer; expected: Buffer }[] = [];
    for (const chunk of inChunks(Buffer.concat([...frames, ...frames]), 65_536)) {
      framer.push(chunk);
      for (let step = framer.next(); step !== 'more'; step = framer.next()) {
        const slice = framer.bytes.subarray(framer.start, framer.end);
        if (slice.length > ASSEMBLY_BYTES) lent.push({ slice, expected: Buffer.from(slice) });
      }
      chunk.fill(0xee);
    }
    assert.equal(lent.length, 6);
    for (const { slice, expected } of lent) assert.equal(slice.compare(expected), 0);
  });
});
