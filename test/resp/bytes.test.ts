import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isWordAt, lowerCaseByte, parseIntegerAt } from '../../src/resp/bytes.ts';

const INTEGERS: [text: string, value: number][] = [
  ['0', 0],
  ['7', 7],
  ['-7', -7],
  ['1234567890', 1234567890],
  ['9007199254740991', 2 ** 53 - 1],
  ['-9007199254740991', 1 - 2 ** 53],
  ['9223372036854775807', 2 ** 63],
  ['-9223372036854775808', -(2 ** 63)],
  ['9223372036854775808', Number.NaN],
  ['-9223372036854775809', Number.NaN],
  ['12345678901234567890', Number.NaN],
  ['', Number.NaN],
  ['-', Number.NaN],
  ['-0', Number.NaN],
  ['00', Number.NaN],
  ['01', Number.NaN],
  ['-01', Number.NaN],
  ['+1', Number.NaN],
  [' 1', Number.NaN],
  ['1 ', Number.NaN],
  ['1.0', Number.NaN],
  ['1e3', Number.NaN],
  ['0x10', Number.NaN],
  ['abc', Number.NaN],
  ['1-', Number.NaN],
  ['--1', Number.NaN],
];

describe('parseIntegerAt', () => {
  for (const [text, value] of INTEGERS) {
    it(`parseIntegerAt reads ${JSON.stringify(text)} as ${value}`, () => {
      const bytes = Buffer.from(`9${text}9`);
      assert.deepEqual(parseIntegerAt(bytes, 1, 1 + text.length), value);
    });
  }
});

describe('isWordAt', () => {
  it('compares A to Z in any case and every other byte as it is', () => {
    const bytes = Buffer.from('xGeT_1x');
    assert.equal(isWordAt(bytes, 1, 6, 'get_1'), true);
    assert.equal(isWordAt(bytes, 1, 4, 'get'), true);
    assert.equal(isWordAt(bytes, 1, 4, 'got'), false);
    assert.equal(isWordAt(bytes, 1, 4, 'get_'), false);
    assert.equal(isWordAt(bytes, 1, 1, ''), true);
    // 0x01 | 0x20 would be '!', '@' | 0x20 would be '`'.
    assert.equal(isWordAt(Buffer.from('\x01@'), 0, 2, '!`'), false);
  });
});

describe('lowerCaseByte', () => {
  it('changes A to Z only', () => {
    for (let byte = 0; byte < 256; byte++) {
      const isUpper = byte >= 65 && byte <= 90;
      assert.equal(lowerCaseByte(byte), isUpper ? byte + 32 : byte);
    }
  });
});
