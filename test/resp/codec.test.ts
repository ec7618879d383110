import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeReply, ReplyError } from '../../src/resp/decode.ts';
import {
  encodeArray,
  encodeBulk,
  encodeCommand,
  encodeInteger,
  encodeMap,
  encodeSet,
  encodeVerbatim,
} from '../../src/resp/encode.ts';

describe('encodeCommand', () => {
  it('counts bytes, not characters, and takes bytes as they are', () => {
    const encoded = encodeCommand('SET', 'é', Buffer.of(0xff, 0), '');
    assert.equal(encoded.toString('latin1'), '*4\r\n$3\r\nSET\r\n$2\r\n\xc3\xa9\r\n$2\r\n\xff\0\r\n$0\r\n\r\n');
  });
});

describe('encodeBulk, encodeInteger, encodeArray', () => {
  it('encode replies', () => {
    assert.equal(String(encodeBulk('ab')), '$2\r\nab\r\n');
    assert.equal(String(encodeInteger(-1)), ':-1\r\n');
    assert.equal(String(encodeInteger(2n ** 63n)), ':9223372036854775808\r\n');
    assert.equal(String(encodeArray([])), '*0\r\n');
    assert.equal(
      String(encodeArray([encodeInteger(1), encodeArray([encodeBulk('')])])),
      '*2\r\n:1\r\n*1\r\n$0\r\n\r\n',
    );
  });
});

describe('encodeMap, encodeSet, encodeVerbatim', () => {
  it('encode for either protocol', () => {
    const [key, value] = [encodeBulk('k'), encodeInteger(1)];
    assert.equal(String(encodeMap(2, [[key, value]])), '*2\r\n$1\r\nk\r\n:1\r\n');
    assert.equal(String(encodeMap(3, [[key, value]])), '%1\r\n$1\r\nk\r\n:1\r\n');
    assert.equal(String(encodeMap(2, [])), '*0\r\n');
    assert.equal(String(encodeMap(3, [])), '%0\r\n');
    assert.equal(String(encodeSet(2, [value])), '*1\r\n:1\r\n');
    assert.equal(String(encodeSet(3, [value])), '~1\r\n:1\r\n');
    assert.equal(String(encodeVerbatim(2, Buffer.from('a\n'))), '$2\r\na\n\r\n');
    assert.equal(String(encodeVerbatim(3, Buffer.from('a\n'))), '=6\r\ntxt:a\n\r\n');
  });
});

describe('decodeReply', () => {
  const values: [frame: string, value: unknown][] = [
    ['+OK\r\n', 'OK'],
    [':12\r\n', 12],
    ['$2\r\nab\r\n', 'ab'],
    ['$-1\r\n', null],
    ['*-1\r\n', null],
    ['*2\r\n:1\r\n*1\r\n$1\r\na\r\n', [1, ['a']]],
    ['_\r\n', undefined],
    ['%1\r\n+a\r\n+b\r\n', undefined],
    ['', undefined],
    ['$5\r\nab', undefined],
  ];
  for (const [frame, value] of values) {
    it(`decodeReply reads ${JSON.stringify(frame)}`, () => {
      assert.deepEqual(decodeReply(Buffer.from(frame)), value);
    });
  }

  it('gives errors as values', () => {
    const error = decodeReply(Buffer.from('-ERR x\r\n'));
    assert.ok(error instanceof ReplyError);
    assert.equal(error.message, 'ERR x');
    const [nested] = decodeReply(Buffer.from('*1\r\n-ERR y\r\n')) as unknown[];
    assert.ok(nested instanceof Error);
  });
});
