import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import calculateSlot from 'cluster-key-slot';
import { slotOf } from '../../src/cluster/slot.ts';
import { plainRedis } from '../support/plain-redis.ts';
import { Random } from '../support/random.ts';

function slotOfText(key: string): number {
  const bytes = Buffer.from(`{x}${key}}`, 'latin1');
  return slotOf(bytes, 3, 3 + key.length);
}

const KEYS: [key: string, hashed: string][] = [
  ['', ''],
  ['foo', 'foo'],
  ['{user1000}.following', 'user1000'],
  ['foo{bar}zap', 'bar'],
  ['foo{}{bar}', 'foo{}{bar}'],
  ['foo{{bar}}zap', '{bar'],
  ['foo{bar}{zap}', 'bar'],
  ['{}', '{}'],
  ['{}a}b', '{}a}b'],
  ['{a', '{a'],
  ['a}', 'a}'],
  ['}{a}', 'a'],
  ['{{}', '{'],
  ['{\xff\0}x', '\xff\0'],
];

/** As slot.ts says: the library takes `a` of `{}a}b` for a tag, the servers do not. */
const LIBRARY_DIFFERS = /^[^{]*\{\}.*\}/s;

describe('slotOf', () => {
  for (const [key, hashed] of KEYS) {
    it(`slotOf(${JSON.stringify(key)}) is the slot of ${JSON.stringify(hashed)}`, () => {
      assert.equal(slotOfText(key), slotOfText(hashed));
    });
  }

  it('knows the slots of the cluster specification', () => {
    assert.equal(slotOfText('123456789'), 0x31c3);
    assert.equal(slotOfText('foo'), 12182);
    assert.equal(slotOfText('somekey'), 11058);
  });

  it('says as cluster-key-slot, but for an empty tag with a brace behind it', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    for (const key of randomKeys(random, 5000)) {
      if (LIBRARY_DIFFERS.test(key)) continue;
      assert.equal(slotOfText(key), calculateSlot(Buffer.from(key, 'latin1')), JSON.stringify(key));
    }
    assert.notEqual(slotOfText('{}a}b'), calculateSlot('{}a}b'));
  });
});

function randomKeys(random: Random, count: number): string[] {
  const pieces = ['{', '}', '{', '}', 'a', 'b', '\xff', '\0', 'key:1', '{}'];
  return Array.from({ length: count }, () =>
    Array.from({ length: random.below(8) }, () => random.pick(pieces)).join(''),
  );
}

describe('slotOf and a real server', () => {
  const redis = plainRedis();

  it('slotOf says as CLUSTER KEYSLOT', async (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const keys = [...KEYS.map(([key]) => key), ...randomKeys(random, 2000)];
    const client = await redis.connect();
    const replies = await client.pipeline(keys.map((key) => ['CLUSTER', 'KEYSLOT', Buffer.from(key, 'latin1')]));
    keys.forEach((key, i) => {
      assert.equal(`:${slotOfText(key)}\r\n`, String(replies[i]), JSON.stringify(key));
    });
    client.close();
  });
});
