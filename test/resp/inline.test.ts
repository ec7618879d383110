import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeInline, splitInline } from '../../src/resp/inline.ts';
import { Request } from '../../src/resp/request.ts';
import { encodeCommand } from '../support/client.ts';
import { plainRedis } from '../support/plain-redis.ts';
import { Random } from '../support/random.ts';
import { textsOf } from '../support/request.ts';
import { SERVER } from '../support/versions.ts';

function split(line: string): string[] | undefined {
  return splitInline(Buffer.from(line, 'latin1'))?.map((word) => word.toString('latin1'));
}

const LINES: [line: string, words: string[] | undefined][] = [
  ['', []],
  [' \t\v\f', []],
  ['a', ['a']],
  ['  a  b\tc\rd', ['a', 'b', 'c', 'd']],
  ['\va\vb\f \vc "d"\ve', ['a\vb\f', 'c', 'd', 'e']],
  ['""', ['']],
  ['\'\' ""', ['', '']],
  ['"a b"', ['a b']],
  ['a"b"', ['ab']],
  ['a"b"c', undefined],
  ["a'b c'", ['ab c']],
  ['"a""b"', undefined],
  ['"\\x41\\x4g\\xZZ\\x"', ['Ax4gxZZx']],
  ['"\\xff\\x00"', ['\xff\0']],
  ['"\\n\\r\\t\\b\\a\\q\\\\\\""', ['\n\r\t\b\x07q\\"']],
  ["'\\n\\'\\\\ '", ["\\n'\\\\ "]],
  ['"open', undefined],
  ["'open", undefined],
  ["'open\\'", undefined],
  ['"open\\', undefined],
  ['"open\\"', undefined],
  ['a\\nb \\', ['a\\nb', '\\']],
  ['a\0b', ['a']],
  ['\xe9\xff "\xe9"', ['\xe9\xff', '\xe9']],
];

describe('splitInline', () => {
  for (const [line, words] of LINES) {
    it(`splitInline splits ${JSON.stringify(line)} as redis-cli does`, () => {
      assert.deepEqual(split(line), words);
    });
  }
});

describe('encodeInline', () => {
  it('makes one multibulk frame of the words and tells where they stand', () => {
    const request = new Request();
    request.add(1, 2);
    const words = ['SET', 'k', '', '\r\n'];
    encodeInline(
      words.map((word) => Buffer.from(word)),
      request,
    );
    assert.deepEqual(request.bytes.subarray(request.start, request.end), encodeCommand(words));
    assert.deepEqual(textsOf(request), words);
  });
});

// From Valkey 9 on text behind a closing quote belongs to the word, and a vertical tab there is text.
const skip = SERVER.isValkey && SERVER.version >= 9 ? 'Valkey 9 reads quotes in another way' : false;
describe('splitInline and a real server', { skip }, () => {
  const redis = plainRedis();

  it('say the same of every line of the table that a server reads to its end', async () => {
    const client = await redis.connect();
    for (const [line, words] of LINES) {
      // A server waits behind a NUL, and closes at unbalanced quotes; framer tests cover those.
      if (words === undefined || line.includes('\0')) continue;
      client.send(Buffer.from(`COMMAND GETKEYS DEL ${line} end\r\n`, 'latin1'));
      const expected = encodeCommand([...words, 'end'].map((word) => Buffer.from(word, 'latin1')));
      assert.deepEqual(await client.reply(), expected, line);
    }
    client.close();
  });

  it('say the same of random lines', async (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const pieces = [
      '"',
      "'",
      '\\',
      'x4',
      '1',
      'a',
      ' ',
      '\t',
      '\\"',
      "\\'",
      '\\x',
      'fF',
      '\xe9',
      'n',
      '\v',
      '\\n',
      '\x01',
      '" ',
    ];
    let client = await redis.connect();
    for (let i = 0; i < 1500; i++) {
      const line = Array.from({ length: random.below(9) }, () => random.pick(pieces)).join('');
      client.send(Buffer.from(`COMMAND GETKEYS DEL ${line} end\r\n`, 'latin1'));
      const reply = await client.reply();
      const words = split(`${line} end`);
      if (words === undefined) {
        assert.equal(String(reply), '-ERR Protocol error: unbalanced quotes in request\r\n', JSON.stringify(line));
        await client.closed();
        client = await redis.connect();
      } else {
        assert.deepEqual(reply, encodeCommand(words.map((word) => Buffer.from(word, 'latin1'))), JSON.stringify(line));
      }
    }
    client.close();
  });
});
