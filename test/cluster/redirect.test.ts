import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRedirect, type Redirect } from '../../src/cluster/redirect.ts';

const FORMS: [line: string, redirect: Redirect | undefined][] = [
  ['-MOVED 8579 10.0.0.1:7001', { kind: 'moved', slot: 8579, host: '10.0.0.1', port: 7001 }],
  ['-ASK 0 10.0.0.1:7001', { kind: 'ask', slot: 0, host: '10.0.0.1', port: 7001 }],
  ['-MOVED 16383 :7001', { kind: 'moved', slot: 16383, host: '', port: 7001 }],
  ['-MOVED 8579 ?:7001', { kind: 'moved', slot: 8579, host: undefined, port: 7001 }],
  ['-MOVED 8579 node-1.example.com:6379', { kind: 'moved', slot: 8579, host: 'node-1.example.com', port: 6379 }],
  ['-MOVED 8579 ::1:7001', { kind: 'moved', slot: 8579, host: '::1', port: 7001 }],
  ['-MOVED 8579 2001:db8::1:65535', { kind: 'moved', slot: 8579, host: '2001:db8::1', port: 65535 }],
  ['-ASK 8579 [::1]:7001', { kind: 'ask', slot: 8579, host: '::1', port: 7001 }],
  ['-MOVED 16384 10.0.0.1:7001', undefined],
  ['-MOVED 99999 10.0.0.1:7001', undefined],
  ['-MOVED 123456 10.0.0.1:7001', undefined],
  ['-MOVED -1 10.0.0.1:7001', undefined],
  ['-MOVED x 10.0.0.1:7001', undefined],
  ['-MOVED 1 10.0.0.1:0', undefined],
  ['-MOVED 1 10.0.0.1:65536', undefined],
  ['-MOVED 1 10.0.0.1', undefined],
  ['-MOVED 1 10.0.0.1:70 ', undefined],
  ['-MOVED 1 a b:70', undefined],
  ['-MOVED 1', undefined],
  ['-MOVED', undefined],
  ['-moved 1 a:70', undefined],
  ['-MOVEDX 1 a:70', undefined],
  ['-ASKING 1 a:70', undefined],
  ['+MOVED 1 a:70', undefined],
];

describe('parseRedirect', () => {
  for (const [line, redirect] of FORMS) {
    it(`parseRedirect reads ${line}`, () => assert.deepEqual(parseRedirect(`${line}\r\n`), redirect));
  }

  it('wants the whole line', () => {
    assert.equal(parseRedirect('-MOVED 1 a:70'), undefined);
    assert.equal(parseRedirect(' -MOVED 1 a:70\r\n'), undefined);
    assert.equal(parseRedirect('-MOVED 1 a:70\r\n\r\n'), undefined);
  });
});
