import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isKeyspaceChannel, mayMatchKeyspace } from '../../src/plan/keyspace.ts';

describe('isKeyspaceChannel', () => {
  const channels: [name: string, is: boolean][] = [
    ['__keyspace@0__:k', true],
    ['__keyevent@0__:set', true],
    ['__keyspace@', true],
    ['__keyspace', false],
    ['__keyother@0__:k', false],
    ['_keyspace@0__:k', false],
    ['', false],
  ];
  for (const [name, is] of channels) {
    it(`${name}: ${is}`, () => {
      const bytes = Buffer.from(`x${name}y`);
      assert.equal(isKeyspaceChannel(bytes, 1, bytes.length - 1), is);
    });
  }
});

describe('mayMatchKeyspace', () => {
  const patterns: [pattern: string, may: boolean][] = [
    ['*', true],
    ['_*', true],
    ['__key*@*', true],
    ['__keyevent@0__:*', true],
    ['__keyevent@0__:set', true],
    ['__key?????@0__:*', true],
    ['__key????*', true],
    ['??????????????????', true],
    ['???????????', true],
    ['??????????', false],
    ['__keysp[a-c]ce@0__:*', true],
    ['[_]_keyspace@*', true],
    ['[^x]_keyspace@*', true],
    ['[^]_keyspace@*', true],
    ['[a-]]_keyspace@*', true],
    ['[\\]]_keyspace@*', true],
    ['[^-]_keyspace@*', true],
    ['__keyspace@[', true],
    ['[_', false],
    ['__[', false],
    ['\\_\\_keyspace@*', true],
    ['\\x_keyspace@*', false],
    ['\\', false],
    ['news.*', false],
    ['x*', false],
    ['__keyspacex*', false],
    ['__keyspace', false],
    ['', false],
  ];
  for (const [pattern, may] of patterns) {
    it(`${pattern}: ${may}`, () => {
      assert.equal(mayMatchKeyspace(Buffer.from(pattern)), may);
    });
  }
});
