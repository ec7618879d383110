import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ScriptRegistry } from '../../src/script/registry.ts';
import { SCRIPT_OVERHEAD_BYTES, type Script, scriptFromBody } from '../../src/script/script.ts';
import { shaOf } from '../../src/script/sha.ts';
import { Random } from '../support/random.ts';

const MB = 1024 * 1024;

function registryOf(maxBytes = MB): { registry: ScriptRegistry; forgotten: Script[] } {
  const forgotten: Script[] = [];
  const registry = new ScriptRegistry({ maxBytes, onForgotten: (script) => forgotten.push(script) });
  return { registry, forgotten };
}

function body(text: string): Buffer {
  return Buffer.from(text);
}

/** A registry with room for exactly so many bodies of 100 bytes. */
function smallRegistry(count: number): ReturnType<typeof registryOf> {
  return registryOf(count * (100 + SCRIPT_OVERHEAD_BYTES));
}

function numbered(i: number): Buffer {
  return body(String(i).padStart(100, '-'));
}

function findBody(registry: ScriptRegistry, bytes: Buffer): Script | undefined {
  return registry.findByBody(Buffer.concat([body('x'), bytes, body('y')]), 1, 1 + bytes.length);
}

describe('ScriptRegistry', () => {
  it('counts apart what came by SCRIPT LOAD, through promotion, forgetting and clearing', () => {
    const { registry } = registryOf();
    const loaded = () => [registry.loaded.count, registry.loaded.bytes];
    const size = (text: string) => text.length + SCRIPT_OVERHEAD_BYTES;
    registry.learn(body('return 1'));
    const two = registry.load(body('return 22'));
    assert.deepEqual([...loaded(), registry.count], [1, size('return 22'), 2]);
    registry.load(body('return 1'));
    registry.load(body('return 1'));
    assert.deepEqual([...loaded(), registry.count], [2, size('return 22') + size('return 1'), 2]);
    assert.ok(two);
    registry.forget(two);
    registry.forget(two);
    assert.deepEqual(loaded(), [1, size('return 1')]);
    registry.clear();
    assert.deepEqual([...loaded(), registry.count, registry.bytes], [0, 0, 0, 0]);
  });

  it('lists loaded scripts first, then the others by their last use, up to a limit', () => {
    const { registry } = registryOf();
    const [a, b, c] = ['a', 'b', 'c'].map((text) => registry.learn(body(`return '${text}'`)));
    const loaded = registry.load(body('return 1'));
    assert.ok(a && b && c && loaded);
    registry.touch(a);
    assert.deepEqual(registry.list(10), [loaded, a, c, b]);
    assert.deepEqual(registry.list(2), [loaded, a]);
    assert.deepEqual(registry.list(0), []);
  });

  it('finds by sha in any case, and not by bytes that only look alike', () => {
    const { registry } = registryOf();
    const script = registry.learn(body('return 1'));
    assert.ok(script);
    const { sha } = script;
    assert.equal(sha, 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db');
    assert.equal(registry.findBySha(sha), script);
    assert.equal(registry.findBySha(sha.toUpperCase()), script);
    assert.equal(registry.find(Buffer.from(`xx${sha}x`), 2, 42), script);
    for (const other of [
      sha.slice(1),
      `${sha}0`,
      '',
      sha.replace('0', 'O'),
      `${sha.slice(0, 39)}c`,
      // Bytes that differ from a digit or a letter in one bit only.
      withByte(sha, 1, (byte) => byte ^ 0x20),
      withByte(sha, 30, (byte) => byte ^ 0x10),
      withByte(sha, 2, (byte) => byte | 0x80),
      withByte(sha, 39, (byte) => byte | 0x80),
      'g'.repeat(40),
    ]) {
      assert.equal(registry.findBySha(other), undefined, JSON.stringify(other));
    }
  });

  it('finds by body, whatever stands around it', () => {
    const { registry } = registryOf();
    const one = registry.learn(body('return 1'));
    const two = registry.learn(body('return 2'));
    assert.equal(findBody(registry, body('return 1')), one);
    assert.equal(findBody(registry, body('return 2')), two);
    assert.equal(findBody(registry, body('return 3')), undefined);
    assert.equal(findBody(registry, body('return 11')), undefined);
    assert.equal(findBody(registry, body('')), undefined);
  });

  it('finds by body also where many are of one length', () => {
    const { registry } = registryOf();
    const scripts = Array.from({ length: 20 }, (_, i) => registry.learn(numbered(i)));
    for (const [i, script] of scripts.entries()) assert.equal(findBody(registry, numbered(i)), script);
    assert.equal(findBody(registry, numbered(99)), undefined);
  });

  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  for (const order of orders) {
    it(`tells scripts apart whose shas begin alike, forgotten in the order ${order}`, () => {
      const { registry, forgotten } = registryOf();
      const scripts = collidingBodies().map((text) => registry.learn(text) as Script);
      for (const index of order) {
        for (const script of scripts) {
          assert.equal(registry.findBySha(script.sha), forgotten.includes(script) ? undefined : script);
        }
        registry.forget(scripts[index] as Script);
      }
      assert.equal(registry.count, 0);
    });
  }

  it('learns and loads a body once', () => {
    const { registry } = registryOf();
    const script = registry.learn(body('return 1'));
    assert.equal(registry.learn(body('return 1')), script);
    assert.equal(script?.origin, 'eval');
    assert.equal(registry.load(body('return 1')), script);
    assert.equal(script?.origin, 'load');
    assert.equal(registry.load(body('return 1')), script);
    assert.equal(registry.learn(body('return 1')), script);
    assert.equal(script?.origin, 'load');
    assert.deepEqual([registry.count, registry.bytes], [1, 8 + SCRIPT_OVERHEAD_BYTES]);
  });

  it('copies a body, which was borrowed', () => {
    const { registry } = registryOf();
    const bytes = body('return 1');
    const script = registry.learn(bytes);
    bytes.fill(0);
    assert.equal(String(script?.body), 'return 1');
  });

  it('lets the least recently used script of EVAL origin go when it is full', () => {
    const { registry, forgotten } = smallRegistry(4);
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => registry.learn(numbered(i)) as Script) as [
      Script,
      Script,
      Script,
      Script,
    ];
    registry.touch(a);
    registry.touch(c);
    registry.touch(c);
    for (let i = 4; i < 8; i++) registry.learn(numbered(i));
    assert.deepEqual(forgotten, [b, d, a, c]);
    assert.equal(registry.count, 4);
    assert.equal(registry.findBySha(b.sha), undefined);
    assert.equal(findBody(registry, numbered(1)), undefined);
  });

  it('lets several go for a large one', () => {
    const { registry, forgotten } = smallRegistry(8);
    for (let i = 0; i < 8; i++) registry.learn(numbered(i));
    assert.ok(registry.learn(Buffer.alloc(800, 'x')));
    assert.equal(forgotten.length, 3);
    assert.ok(registry.bytes <= 8 * (100 + SCRIPT_OVERHEAD_BYTES));
  });

  it('keeps scripts of LOAD origin, also one that was of EVAL origin before', () => {
    const { registry, forgotten } = smallRegistry(4);
    const loaded = registry.load(numbered(0)) as Script;
    const raised = registry.learn(numbered(1)) as Script;
    registry.load(numbered(1));
    for (let i = 10; i < 30; i++) registry.learn(numbered(i));
    assert.equal(registry.findBySha(loaded.sha), loaded);
    assert.equal(registry.findBySha(raised.sha), raised);
    assert.equal(registry.count, 4);
    assert.equal(forgotten.length, 18);
    registry.touch(loaded);
    assert.equal(registry.findBySha(loaded.sha), loaded);
  });

  it('takes no more when LOAD origin alone fills it, and takes again when one is forgotten', () => {
    const { registry } = smallRegistry(2);
    const first = registry.load(numbered(0)) as Script;
    assert.equal(registry.hasRoomToLoad(100), true);
    registry.learn(numbered(5));
    assert.ok(registry.load(numbered(1)), 'the one of EVAL origin makes room');
    assert.equal(registry.hasRoomToLoad(0), false);
    assert.equal(registry.load(numbered(2)), undefined);
    assert.equal(registry.learn(numbered(2)), undefined);
    assert.equal(registry.load(numbered(1))?.origin, 'load', 'known ones are no growth');
    registry.forget(first);
    assert.equal(registry.hasRoomToLoad(100), true);
    assert.ok(registry.load(numbered(2)));
    assert.equal(registry.count, 2);
  });

  it('does not raise a script to LOAD origin without room', () => {
    const { registry } = registryOf(2 * (100 + SCRIPT_OVERHEAD_BYTES) + 50);
    registry.load(numbered(0));
    const learnt = registry.learn(numbered(1)) as Script;
    assert.equal(registry.hasRoomToLoad(200), false);
    assert.equal(registry.load(numbered(1)), learnt);
    assert.equal(registry.learn(numbered(2)), undefined);
  });

  it('holds no body beyond a quarter of the limit', () => {
    const { registry } = registryOf(10_000);
    assert.equal(registry.learn(Buffer.alloc(2501, 'x')), undefined);
    assert.equal(registry.load(Buffer.alloc(2501, 'x')), undefined);
    assert.ok(registry.learn(Buffer.alloc(2500, 'x')));
    assert.equal(registry.count, 1);
  });

  it('gives the number of a forgotten script to the next, after it told so', () => {
    const { registry, forgotten } = registryOf();
    const [a, b] = [registry.learn(numbered(0)), registry.learn(numbered(1))] as [Script, Script];
    assert.deepEqual([a.number, b.number], [0, 1]);
    let numberWhenTold = -2;
    const told = new ScriptRegistry({
      maxBytes: MB,
      onForgotten: (script) => {
        numberWhenTold = script.number;
      },
    });
    told.forget(told.learn(numbered(0)) as Script);
    assert.equal(numberWhenTold, 0);
    registry.forget(a);
    assert.equal(a.number, -1);
    registry.forget(a);
    registry.touch(a);
    assert.deepEqual(forgotten, [a]);
    const c = registry.learn(numbered(2)) as Script;
    assert.equal(c.number, 0);
    assert.equal((registry.learn(numbered(0)) as Script).number, 2);
  });

  it('forgets all at clear, and works on', () => {
    const { registry, forgotten } = registryOf();
    const scripts = [
      registry.load(numbered(0)),
      registry.learn(numbered(1)),
      ...collidingBodies().map((text) => registry.learn(text)),
    ];
    registry.clear();
    assert.deepEqual(new Set(forgotten), new Set(scripts));
    assert.equal(forgotten.length, scripts.length);
    assert.deepEqual([registry.count, registry.bytes], [0, 0]);
    for (const script of scripts) assert.equal(registry.findBySha((script as Script).sha), undefined);
    assert.ok(registry.load(numbered(0)));
    assert.ok(registry.learn(numbered(1)));
    assert.equal(registry.hasRoomToLoad(MB / 4), true);
  });

  it('stays bounded under a flood of 100,000 bodies of one length', () => {
    let forgottenCount = 0;
    let highest = 0;
    const maxBytes = 2000 * (100 + SCRIPT_OVERHEAD_BYTES);
    const registry = new ScriptRegistry({ maxBytes, onForgotten: () => forgottenCount++ });
    for (let i = 0; i < 100_000; i++) {
      const script = registry.learn(numbered(i)) as Script;
      highest = Math.max(highest, script.number);
    }
    assert.deepEqual([registry.count, registry.bytes, forgottenCount, highest], [2000, maxBytes, 98_000, 1999]);
    assert.ok(findBody(registry, numbered(99_999)));
    assert.equal(findBody(registry, numbered(0)), undefined);
    registry.clear();
    assert.equal(registry.count, 0);
  });

  it('agrees with a simple model in a random life', (t) => {
    const random = Random.fresh();
    t.diagnostic(`EVALGATE_SEED=${random.seed}`);
    const { registry } = smallRegistry(20);
    const held = new Map<number, Script>();
    for (let i = 0; i < 5000; i++) {
      const n = random.below(60);
      const script = random.below(10) === 0 ? registry.load(numbered(n)) : registry.learn(numbered(n));
      if (script !== undefined) held.set(n, script);
      const other = random.pick([...held.values()]);
      if (i % 5 === 0) registry.touch(other);
      if (i % 20 === 0) registry.forget(other);
      assertConsistent(registry, held);
    }
  });
});

/** Whatever the registry holds is found by sha and by body, has a number of its own, and is counted. */
function assertConsistent(registry: ScriptRegistry, known: ReadonlyMap<number, Script>): void {
  const found = [...known].filter(([n, script]) => registry.findBySha(shaOf(numbered(n))) === script);
  assert.equal(found.length, registry.count);
  assert.ok(found.every(([n, script]) => findBody(registry, numbered(n)) === script));
  assert.equal(new Set(found.map(([, { number }]) => number)).size, found.length, 'numbers are unique');
  assert.ok(found.every(([, { number }]) => number >= 0 && number < 20));
  assert.equal(registry.bytes, found.length * (100 + SCRIPT_OVERHEAD_BYTES));
}

function withByte(text: string, index: number, change: (byte: number) => number): string {
  const bytes = Buffer.from(text, 'latin1');
  bytes[index] = change(bytes[index] as number);
  return bytes.toString('latin1');
}

describe('Script', () => {
  it('is taken to mimic NOSCRIPT when its body holds the word', () => {
    assert.equal(scriptFromBody(body('return redis.error_reply("NOSCRIPT x")'), 'eval').mimicsNoscript, true);
    assert.equal(scriptFromBody(body('return "noscript"'), 'eval').mimicsNoscript, false);
  });
});

/** Three bodies whose shas begin with the same seven digits. */
function collidingBodies(): Buffer[] {
  return [354600, 536781, 684632].map((n) => body(`return ${n}`));
}
