/** What the registry does for stores: epochs, scripts that are restored, and word of a second use. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ScriptRegistry } from '../../src/script/registry.ts';
import type { Script } from '../../src/script/script.ts';

const BODY = Buffer.from('return 1');
const OTHER = Buffer.from('return 2');

function registryOf(maxBytes = 1e6) {
  const learned: Script[] = [];
  const reused: Script[] = [];
  const registry = new ScriptRegistry({
    maxBytes,
    onForgotten: () => {},
    onLearned: (script) => learned.push(script),
    onReused: (script) => reused.push(script),
  });
  return { registry, learned, reused };
}

describe('ScriptRegistry', () => {
  it('stamps what it takes in, and drops what is older than a flush', () => {
    const { registry } = registryOf();
    const old = registry.learn(BODY);
    registry.epoch = 5;
    const recent = registry.load(OTHER);
    assert.deepEqual([old?.epoch, recent?.epoch], [0, 5]);
    registry.dropOlder(5);
    assert.equal(registry.findBySha(old?.sha ?? ''), undefined);
    assert.equal(registry.findBySha(recent?.sha ?? ''), recent);
    registry.dropOlder(3);
    assert.equal(registry.epoch, 5);
    assert.equal(registry.count, 1);
  });

  it('a script that is loaded again belongs to the epoch in force, one that is learned again does not', () => {
    const { registry } = registryOf();
    const script = registry.learn(BODY);
    registry.epoch = 5;
    registry.learn(BODY);
    assert.equal(script?.epoch, 0);
    assert.equal(registry.load(BODY), script);
    assert.equal(script?.epoch, 5);
    registry.epoch = 6;
    registry.load(BODY);
    assert.equal(script?.epoch, 6);
  });

  it('restores with the stamp of the store, never a lower one than it had', () => {
    const { registry, learned } = registryOf();
    assert.equal(registry.restore(BODY, 'eval', 7)?.epoch, 7);
    assert.equal(registry.restore(BODY, 'load', 9)?.epoch, 9);
    assert.equal(registry.restore(BODY, 'eval', 3)?.epoch, 9);
    assert.equal(registry.findBySha(registry.restore(BODY, 'eval', 3)?.sha ?? '')?.origin, 'load');
    assert.equal(registry.count, 1);
    assert.deepEqual(learned, []);
  });

  it('restores only what fits', () => {
    const { registry } = registryOf(3000);
    assert.equal(registry.restore(Buffer.alloc(1000), 'eval', 1), undefined);
    assert.equal(registry.restore(Buffer.alloc(1000), 'load', 1), undefined);
    assert.ok(registry.restore(Buffer.alloc(700), 'load', 1));
  });

  it('tells of the second use of a script that came by EVAL, once', () => {
    const { registry, learned, reused } = registryOf();
    const script = registry.learn(BODY);
    assert.ok(script);
    assert.deepEqual([learned, reused], [[script], []]);
    for (let i = 0; i < 3; i++) registry.touch(script);
    const loaded = registry.load(OTHER);
    assert.ok(loaded);
    registry.touch(loaded);
    const restored = registry.restore(Buffer.from('return 3'), 'eval', 1);
    assert.ok(restored);
    registry.touch(restored);
    assert.deepEqual([learned, reused], [[script], [script]]);
  });
});
