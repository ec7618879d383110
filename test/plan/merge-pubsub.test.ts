import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergePubSub } from '../../src/plan/merge-pubsub.ts';
import { encodeArray, encodeBulk, encodeInteger } from '../../src/resp/encode.ts';

function names(...texts: string[]): Buffer {
  return encodeArray(texts.map(encodeBulk));
}

function counts(row: Record<string, number>): Buffer {
  return encodeArray(Object.entries(row).flatMap(([name, count]) => [encodeBulk(name), encodeInteger(count)]));
}

describe('mergePubSub', () => {
  for (const subcommand of ['pubsub|channels', 'pubsub|shardchannels']) {
    it(`${subcommand}: each channel once`, () => {
      const merged = mergePubSub(subcommand, [names('a', 'b'), names(), names('b', 'c')]);
      assert.deepEqual(merged, names('a', 'b', 'c'));
      assert.deepEqual(mergePubSub(subcommand, [names(), names()]), names());
    });
  }

  for (const subcommand of ['pubsub|numsub', 'pubsub|shardnumsub']) {
    it(`${subcommand}: the sum for each channel`, () => {
      const merged = mergePubSub(subcommand, [counts({ a: 1, b: 0 }), counts({ a: 2, b: 0 })]);
      assert.deepEqual(merged, counts({ a: 3, b: 0 }));
      assert.deepEqual(mergePubSub(subcommand, [names(), names()]), names());
    });
  }

  it('pubsub|numsub: the largest number for channels that are subscribed at every master', () => {
    const rows = [1, 2, 1].map((count) => counts({ '__keyspace@0__:k': count, '__keyevent@0__:del': count, x: count }));
    assert.deepEqual(
      mergePubSub('pubsub|numsub', rows),
      counts({ '__keyspace@0__:k': 2, '__keyevent@0__:del': 2, x: 4 }),
    );
  });

  it('pubsub|numpat: the sum', () => {
    assert.deepEqual(mergePubSub('pubsub|numpat', [encodeInteger(2), encodeInteger(3)]), encodeInteger(5));
  });

  it('is undefined for replies that do not fit each other', () => {
    assert.equal(mergePubSub('pubsub|numsub', [counts({ a: 1 }), names()]), undefined);
    assert.equal(mergePubSub('pubsub|numsub', [names('a'), names('a')]), undefined);
    assert.equal(mergePubSub('pubsub|numsub', [names('a', 'b'), names('a', 'b')]), undefined);
  });
});
