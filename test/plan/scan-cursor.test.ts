import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextScanCursor, parseScanCursor } from '../../src/plan/scan-cursor.ts';

describe('nextScanCursor', () => {
  const cursors: [shard: number, count: number, node: string, client: string | undefined][] = [
    [0, 3, '0', '1'],
    [1, 3, '0', '2'],
    [2, 3, '0', '0'],
    [0, 1, '0', '0'],
    [0, 3, '1', '1024'],
    [2, 3, '17', String(17 * 1024 + 2)],
    [1023, 1024, '0', '0'],
    [1022, 1024, '0', '1023'],
    [1023, 1024, '1', '2047'],
    [0, 1025, '0', undefined],
    [0, 1025, '5', undefined],
    [1023, 1024, String(2n ** 54n - 1n), String(2n ** 64n - 1n)],
    [0, 3, String(2n ** 54n), undefined],
    [0, 3, String(2n ** 64n), undefined],
    [0, 3, '', undefined],
    [0, 3, '-1', undefined],
    [0, 3, 'x', undefined],
    [0, 3, '1e3', undefined],
  ];
  for (const [shard, count, node, client] of cursors) {
    it(`nextScanCursor of ${JSON.stringify(node)} from shard ${shard} of ${count} is ${client}`, () => {
      assert.equal(nextScanCursor(shard, count, node), client);
    });
  }
});

describe('parseScanCursor', () => {
  const cursors: [client: string, position: ReturnType<typeof parseScanCursor>][] = [
    ['0', { shard: 0, nodeCursor: '0' }],
    ['2', { shard: 2, nodeCursor: '0' }],
    ['1024', { shard: 0, nodeCursor: '1' }],
    [String(2n ** 64n - 1n), { shard: 1023, nodeCursor: String(2n ** 54n - 1n) }],
    [String(2n ** 64n), undefined],
    ['100000000000000000000', undefined],
    ['', undefined],
    ['-1', undefined],
    ['+1', undefined],
    [' 1', undefined],
    ['1 ', undefined],
    ['x', undefined],
    ['1\n', undefined],
  ];
  for (const [client, position] of cursors) {
    it(`parseScanCursor reads ${JSON.stringify(client)}`, () => assert.deepEqual(parseScanCursor(client), position));
  }

  it('reads back what nextScanCursor made, and the walk ends', () => {
    const nodeCursors = ['1', '1023', '1024', '281474976710656', String(2n ** 54n - 1n)];
    for (const shard of [0, 1, 511, 1023]) {
      for (const nodeCursor of nodeCursors) {
        const cursor = nextScanCursor(shard, 1024, nodeCursor);
        assert.deepEqual(parseScanCursor(cursor ?? ''), { shard, nodeCursor });
      }
    }
    const visited: number[] = [];
    let cursor = '0';
    do {
      const position = parseScanCursor(cursor);
      assert.ok(position);
      visited.push(position.shard);
      cursor = nextScanCursor(position.shard, 5, '0') ?? 'x';
    } while (cursor !== '0');
    assert.deepEqual(visited, [0, 1, 2, 3, 4]);
  });
});
