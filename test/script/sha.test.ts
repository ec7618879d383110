import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IMPOSSIBLE_SHA, SHA_LENGTH, shaOf, shaPrefix } from '../../src/script/sha.ts';

describe('shaOf', () => {
  it('is SHA-1 in lower-case hex, as SCRIPT LOAD says it', () => {
    assert.equal(shaOf(Buffer.from('return 1')), 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db');
    assert.equal(shaOf(Buffer.alloc(0)), 'da39a3ee5e6b4b0d3255bfef95601890afd80709');
  });

  it('has 40 digits, as the impossible one has', () => {
    assert.equal(IMPOSSIBLE_SHA.length, SHA_LENGTH);
    assert.match(IMPOSSIBLE_SHA, /^0{40}$/);
  });
});

describe('shaPrefix', () => {
  const prefixes: [text: string, prefix: number][] = [
    ['0000000', 0],
    ['e0e1f9f', 0xe0e1f9f],
    ['E0e1F9f', 0xe0e1f9f],
    ['fffffff', 0xfffffff],
    ['000000g', -1],
    ['`000000', -1],
    ['@000000', -1],
    ['/000000', -1],
    [':000000', -1],
    ['G000000', -1],
  ];
  for (const [text, prefix] of prefixes) {
    it(`shaPrefix of ${text} is ${prefix}`, () => assert.equal(shaPrefix(Buffer.from(`x${text}x`), 1), prefix));
  }
});
