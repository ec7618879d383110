import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeConfirmation, encodeSubscriberPong, markProtocol, PubSubFrame } from '../../src/resp/pubsub-frame.ts';

const MESSAGE = '*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n';

/** What a frame says, in a few words; undefined when it is none of pub/sub. Other bytes stand around it. */
function shown(text: string): string | undefined {
  const bytes = Buffer.from(`:1\r\n${text}:2\r\n`, 'latin1');
  const frame = new PubSubFrame();
  if (!frame.read(bytes, 4, bytes.length - 4)) return undefined;
  return `${frame.kind} ${frame.word} ${frame.name} ${bytes.toString('latin1', frame.channelStart, frame.channelEnd)}`;
}

describe('PubSubFrame', () => {
  const frames: [text: string, words: string | undefined][] = [
    [MESSAGE, 'channel message news news'],
    [MESSAGE.replace('*', '>'), 'channel message news news'],
    ['*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$0\r\n\r\n', 'pattern pmessage n* news'],
    ['>4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$0\r\n\r\n', 'pattern pmessage n* news'],
    ['*3\r\n$8\r\nsmessage\r\n$1\r\n\xff\r\n$2\r\nhi\r\n', 'shard smessage \xff \xff'],
    ['*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n', 'channel subscribe a a'],
    ['*3\r\n$12\r\npunsubscribe\r\n$1\r\na\r\n:1\r\n', 'pattern punsubscribe a a'],
    ['>3\r\n$12\r\nsunsubscribe\r\n$0\r\n\r\n:0\r\n', 'shard sunsubscribe  '],
    ['*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n', undefined],
    ['>3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n', undefined],
    ['*2\r\n$4\r\npong\r\n$0\r\n\r\n', undefined],
    ['>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n', undefined],
    ['*3\r\n$5\r\nother\r\n$1\r\na\r\n$1\r\nb\r\n', undefined],
    ['-NOPERM no\r\n', undefined],
    ['+PONG\r\n', undefined],
    [':3\r\n', undefined],
    ['*0\r\n', undefined],
    ['*3\r\n:1\r\n:2\r\n:3\r\n', undefined],
    ['*3\r\n$9\r\nsubscribe\r\n', undefined],
  ];
  for (const [text, words] of frames) {
    it(`reads ${JSON.stringify(text)} as ${words ?? 'nothing of pub/sub'}`, () => {
      assert.equal(shown(text), words);
    });
  }

  it('finds nothing in a frame that is cut off anywhere before the channel ends', () => {
    const end = MESSAGE.indexOf('news') + 4;
    for (let length = 0; length <= end; length++) {
      const bytes = Buffer.from(MESSAGE.slice(0, length));
      assert.equal(new PubSubFrame().read(bytes, 0, length), false, `${length} bytes`);
    }
  });
});

describe('markProtocol', () => {
  it('turns a message of one protocol into one of the other, and back', () => {
    const bytes = Buffer.from(MESSAGE);
    markProtocol(bytes, 0, 3);
    assert.equal(bytes.toString(), MESSAGE.replace('*', '>'));
    markProtocol(bytes, 0, 2);
    assert.equal(bytes.toString(), MESSAGE);
  });
});

describe('encodeConfirmation', () => {
  it('is an array in RESP2 and a push in RESP3', () => {
    const [resp2, resp3] = ([2, 3] as const).map((protocol) =>
      encodeConfirmation('subscribe', 'a\xff', { count: 7, protocol }),
    );
    assert.equal(resp2?.toString('latin1'), '*3\r\n$9\r\nsubscribe\r\n$2\r\na\xff\r\n:7\r\n');
    assert.equal(resp3?.toString('latin1'), '>3\r\n$9\r\nsubscribe\r\n$2\r\na\xff\r\n:7\r\n');
  });

  it('names nothing where there was nothing to end, with the null of the protocol', () => {
    const [resp2, resp3] = ([2, 3] as const).map((protocol) =>
      encodeConfirmation('sunsubscribe', undefined, { count: 0, protocol }),
    );
    assert.equal(String(resp2), '*3\r\n$12\r\nsunsubscribe\r\n$-1\r\n:0\r\n');
    assert.equal(String(resp3), '>3\r\n$12\r\nsunsubscribe\r\n_\r\n:0\r\n');
  });
});

describe('encodeSubscriberPong', () => {
  it('has the argument of PING as its second element', () => {
    assert.equal(String(encodeSubscriberPong(Buffer.from('x'))), '*2\r\n$4\r\npong\r\n$1\r\nx\r\n');
    assert.equal(String(encodeSubscriberPong(Buffer.alloc(0))), '*2\r\n$4\r\npong\r\n$0\r\n\r\n');
  });
});
