import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeString } from '../../src/lua/string-literal.ts';

describe('decodeString', () => {
  const cases: readonly (readonly [raw: string, value: string])[] = [
    ["'GET'", 'GET'],
    ['"a\\"b"', 'a"b'],
    ["'\\71ET'", 'GET'],
    ["'\\0651'", 'A1'],
    ["'\\a\\b\\f\\n\\r\\t\\v\\\\\\q'", '\x07\b\f\n\r\t\v\\q'],
    ["'a\\\r\nb\\\nc'", 'a\nb\nc'],
    ['[[a\\n]]', 'a\\n'],
    ['[==[\r\na\rb]]]==]', 'a\nb]]'],
    ['[[\n\na]]', '\na'],
    ["'\xe9'", '\xe9'],
  ];
  for (const [raw, value] of cases) it(JSON.stringify(raw), () => assert.equal(decodeString(raw), value));
});
