import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Script, scriptFromBody } from '../../src/script/script.ts';
import { Marks, RecentScripts } from '../../src/upstream/marks.ts';
import { NodeFacts } from '../../src/upstream/node-facts.ts';

function script(number: number): Script {
  const made = scriptFromBody(Buffer.from(`return ${number}`), 'eval');
  made.number = number;
  return made;
}

describe('Marks', () => {
  it('marks scripts by number, each by itself', () => {
    const marks = new Marks();
    const numbers = [0, 1, 31, 32, 255, 256, 10_000];
    for (const number of numbers) assert.equal(marks.has(script(number)), false);
    for (const number of numbers) marks.add(script(number));
    for (let number = 0; number < 300; number++) assert.equal(marks.has(script(number)), numbers.includes(number));
    marks.delete(script(32));
    marks.delete(script(999_999));
    assert.deepEqual(
      numbers.map((number) => marks.has(script(number))),
      [true, true, true, false, true, true, true],
    );
    assert.equal(marks.has(script(10_001)), false);
    marks.clear();
    assert.ok(numbers.every((number) => !marks.has(script(number))));
  });

  it('never holds a forgotten script', () => {
    const marks = new Marks();
    marks.add(script(-1));
    assert.equal(marks.has(script(-1)), false);
    marks.delete(script(-1));
    assert.equal(marks.has(script(31)), false);
  });
});

describe('RecentScripts', () => {
  it('knows the 100 that were used last', () => {
    const recent = new RecentScripts();
    const scripts = Array.from({ length: 101 }, (_, i) => script(i));
    const [first, second, third] = scripts as [Script, Script, Script];
    for (const one of scripts.slice(0, 100)) assert.equal(recent.touch(one), false);
    assert.equal(recent.touch(first), true);
    assert.equal(recent.touch(first), true);
    assert.equal(recent.touch(scripts[100] as Script), false);
    assert.equal(recent.touch(second), false, 'the least recent made room');
    assert.equal(recent.touch(first), true);
    assert.equal(recent.touch(third), false);
  });

  it('forgets one, also the very last, and all', () => {
    const recent = new RecentScripts();
    const [a, b] = [script(1), script(2)];
    recent.touch(a);
    recent.touch(b);
    recent.delete(b);
    assert.equal(recent.touch(b), false);
    assert.equal(recent.touch(a), true);
    recent.delete(b);
    recent.clear();
    assert.equal(recent.touch(a), false);
  });
});

describe('NodeFacts', () => {
  const servers: [info: string, evicts: boolean][] = [
    ['redis_version:6.2.14', false],
    ['redis_version:7.0.15', false],
    ['redis_version:7.2.4', false],
    ['redis_version:7.4.0', true],
    ['redis_version:8.0.1', true],
    ['redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:7.2.5', false],
    ['redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0', true],
    ['redis_version:7.2.4\r\nvalkey_version:10.0.0', true],
    ['nothing', true],
  ];
  for (const [info, evicts] of servers) {
    it(`learnServer: ${info.replaceAll('\r\n', ' ')} ${evicts ? 'evicts' : 'does not evict'} scripts`, () => {
      const facts = new NodeFacts();
      facts.learnServer(Buffer.from(`$99\r\n# Server\r\n${info}\r\n`));
      assert.equal(facts.evictsScripts, evicts);
    });
  }

  it('keeps what it knew when a busy node says nothing of it', () => {
    const facts = new NodeFacts();
    facts.learnServer(Buffer.from('$9\r\nredis_version:7.0.0\r\n'));
    facts.learnServer(Buffer.from('-BUSY x\r\n'));
    assert.equal(facts.evictsScripts, false);
    const bytes = Buffer.from('-NOSCRIPT a\r\n');
    facts.learnNoscript(bytes);
    bytes.fill(0);
    facts.learnNoscript(Buffer.from('-LOADING x\r\n'));
    assert.equal(String(facts.noscript), '-NOSCRIPT a\r\n');
  });

  it('owes a flush until it is answered well', () => {
    const facts = new NodeFacts();
    facts.owesFlush = true;
    facts.learnFlush(Buffer.from('-BUSY x\r\n'));
    assert.equal(facts.owesFlush, true);
    facts.learnFlush(Buffer.from('+OK\r\n'));
    assert.equal(facts.owesFlush, false);
  });
});
