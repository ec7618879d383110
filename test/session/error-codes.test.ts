import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ErrorCodes } from '../../src/session/error-codes.ts';

function counted(...replies: string[]): Record<string, number> {
  const codes = new ErrorCodes();
  for (const reply of replies) {
    // As on the wire, somewhere in the middle.
    const bytes = Buffer.from(`:1\r\n${reply}\r\n:2\r\n`);
    codes.count(bytes, 4, 4 + reply.length + 2);
  }
  assert.equal(codes.total, replies.length);
  return Object.fromEntries(codes.entries.filter(([, count]) => count > 0));
}

describe('ErrorCodes', () => {
  it('counts by the first word, with or without more behind it', () => {
    const codes = counted('-ERR no', '-ERR', '-WRONGTYPE Operation', '-CLUSTERDOWN evalgate: no primary');
    assert.deepEqual(codes, { ERR: 2, WRONGTYPE: 1, CLUSTERDOWN: 1 });
  });

  it('has one label for all words that are no code, however many come', () => {
    const words = Array.from({ length: 1000 }, (_, i) => `-MINE${i} x`);
    assert.deepEqual(counted(...words, '-', '- x', `-${'x'.repeat(1000)}`, '-err lower', '-ERRX y', '-other x'), {
      other: 1006,
    });
    assert.equal(new ErrorCodes().entries.length, new Set(new ErrorCodes().entries.map(([code]) => code)).size);
  });
});
