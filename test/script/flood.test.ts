import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Flood, FloodWatch } from '../../src/script/flood.ts';
import { ScriptRegistry } from '../../src/script/registry.ts';
import { scriptFromBody } from '../../src/script/script.ts';
import { shaOf } from '../../src/script/sha.ts';

function floodsOf(bodies: Iterable<string>): Flood[] {
  const floods: Flood[] = [];
  const watch = new FloodWatch((flood) => floods.push(flood));
  for (const body of bodies) watch.note(scriptFromBody(Buffer.from(body), 'eval'));
  return floods;
}

function bodies(count: number, body: (i: number) => string): string[] {
  return Array.from({ length: count }, (_, i) => body(i));
}

const shas = (...texts: string[]) => texts.map((text) => shaOf(Buffer.from(text)));

describe('FloodWatch', () => {
  const forms: [name: string, body: (i: number) => string, line: number, source: string][] = [
    [
      'numbers',
      (i) => `local t = {}\nreturn redis.call('SET', KEYS[1], ${i})`,
      2,
      "return redis.call('…', KEYS[0], 0)",
    ],
    [
      'quoted texts',
      (i) => `return redis.call('GET', "user:${i}:${'x'.repeat(i % 7)}")`,
      1,
      "return redis.call('…', '…')",
    ],
    ['comments', (i) => `-- request ${i.toString(16)}4f\nreturn 1`, 1, '-- request 0'],
  ];
  for (const [name, body, line, source] of forms) {
    it(`tells once of bodies that differ in ${name}: two of them, and the line`, () => {
      assert.deepEqual(floodsOf(bodies(499, body)), []);
      assert.deepEqual(floodsOf(bodies(5000, body)), [{ shas: shas(body(498), body(499)), line, source, count: 500 }]);
    });
  }

  it('says nothing of many bodies that have nothing in common', () => {
    const word = (i: number) => [...String(i)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
    assert.deepEqual(floodsOf(bodies(5000, (i) => `return ${word(i)}`)), []);
  });

  it('says nothing of one body that comes again and again', () => {
    assert.deepEqual(floodsOf(bodies(5000, () => 'return 1')), []);
  });

  it('never shows what may be a key or a value', () => {
    const [flood] = floodsOf(bodies(500, (i) => `return redis.call('SET', 'secret-key-${i}', 'it\\'s secret ${i}')`));
    assert.equal(flood?.source, "return redis.call('…', '…', '…')");
  });

  it('a flood of 100,000 bodies leaves the registry within its limit and what was loaded in it, with one warning', () => {
    const floods: Flood[] = [];
    const watch = new FloodWatch((flood) => floods.push(flood));
    const maxBytes = 1e6;
    let reused = 0;
    const registry = new ScriptRegistry({
      maxBytes,
      onForgotten: () => {},
      onLearned: (script) => watch.note(script),
      onReused: () => reused++,
    });
    const loaded = registry.load(Buffer.from('return 1'));
    for (let i = 0; i < 100_000; i++) registry.learn(Buffer.from(`return redis.call('SET', KEYS[1], ${i})`));
    assert.ok(registry.bytes <= maxBytes);
    assert.equal(registry.findBySha(loaded?.sha ?? ''), loaded);
    assert.equal(floods.length, 1);
    assert.equal(reused, 0);
  });

  // 16 KB each: seconds for one of them, if every character began a search to the end.
  for (const [name, text] of [
    ['one long word', 'x'.repeat(16_000)],
    ['quotes that do not end', `'${"\\'".repeat(8000)}`],
    ['quotes of both kinds', `'${'\\"'.repeat(8000)}`],
  ] as const) {
    it(`takes linear time for ${name}`, () => {
      const startedAt = performance.now();
      floodsOf(bodies(100, (i) => `${i} ${text}`));
      const tookMs = performance.now() - startedAt;
      assert.ok(tookMs < 2000, `100 bodies took ${tookMs} ms`);
    });
  }
});
