import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GENERATED } from '../../src/command/generated.ts';
import { HANDLING } from '../../src/command/handling.ts';
import { ADDITIONS, OVERRIDES } from '../../src/command/overrides.ts';
import type { CommandSpec } from '../../src/command/spec.ts';
import { CommandTable, SHIPPED_TABLE, tableFromReply } from '../../src/command/table.ts';

function find(word: string): string | undefined {
  const bytes = Buffer.from(`x${word}x`, 'latin1');
  return SHIPPED_TABLE.find(bytes, 1, 1 + word.length)?.name;
}

const ALL_SPECS = GENERATED.flatMap((spec) => [spec, ...spec.subcommands]);
const ALL_NAMES = new Set(ALL_SPECS.map((spec) => spec.name));

describe('CommandTable', () => {
  it('finds every command in any case', () => {
    for (const { name } of GENERATED) {
      for (const word of [name, name.toUpperCase(), name.replace(/^./, (letter) => letter.toUpperCase())]) {
        assert.equal(find(word), name);
      }
    }
  });

  it('finds every subcommand in its container, in any case', () => {
    for (const spec of GENERATED.filter(({ subcommands }) => subcommands.length > 0)) {
      const container = SHIPPED_TABLE.findByName(spec.name);
      for (const { name } of spec.subcommands) {
        const word = Buffer.from(name.slice(spec.name.length + 1).toUpperCase());
        assert.equal(container?.subcommands?.find(word, 0, word.length)?.name, name);
        assert.equal(SHIPPED_TABLE.findByName(name)?.name, name);
        assert.equal(SHIPPED_TABLE.findByName(name.replace('|', ' ').toUpperCase())?.name, name);
      }
    }
  });

  // `0x47 ^ 0x20`: what only looks like a letter when one bit is left out.
  for (const word of [
    '',
    'ge',
    'gett',
    'get ',
    'g\x45\xd4',
    '\x07et',
    'config|set',
    'nosuch',
    'constructor',
    '__proto__',
  ]) {
    it(`does not know ${JSON.stringify(word)}`, () => assert.equal(find(word), undefined));
  }

  for (const name of ['nosuch', 'nosuch|sub', 'get|sub', 'config|nosuch', '', '|']) {
    it(`findByName does not know ${JSON.stringify(name)}`, () =>
      assert.equal(SHIPPED_TABLE.findByName(name), undefined));
  }

  const arities: [name: string, argc: number, fits: boolean][] = [
    ['get', 1, false],
    ['get', 2, true],
    ['get', 3, false],
    ['mget', 1, false],
    ['mget', 2, true],
    ['mget', 999, true],
    ['config|set', 3, false],
    ['config|set', 4, true],
  ];
  for (const [name, argc, fits] of arities) {
    it(`fitsArity: ${name} with ${argc} arguments ${fits ? 'fits' : 'does not fit'}`, () => {
      assert.equal(SHIPPED_TABLE.findByName(name)?.fitsArity(argc), fits);
    });
  }

  const soleKeys: [name: string, index: number][] = [
    ['get', 1],
    ['object|encoding', 2],
    ['mget', 0],
    ['ping', 0],
    ['rename', 0],
    ['eval', 0],
    ['xread', 0],
    ['sort', 0],
    ['sort_ro', 1],
  ];
  for (const [name, index] of soleKeys) {
    it(`soleKeyIndex of ${name} is ${index}`, () => assert.equal(SHIPPED_TABLE.findByName(name)?.soleKeyIndex, index));
  }

  it('knows what reads, what writes, and what has keys', () => {
    const facts = (name: string) => {
      const command = SHIPPED_TABLE.findByName(name);
      return [command?.isReadonly, command?.isWrite, command?.hasKeys];
    };
    assert.deepEqual(facts('get'), [true, false, true]);
    assert.deepEqual(facts('set'), [false, true, true]);
    assert.deepEqual(facts('ping'), [false, false, false]);
    assert.deepEqual(facts('eval_ro'), [true, false, true]);
  });

  it('holds more than a few commands', () => {
    const specs = Array.from({ length: 1000 }, (_, i) => ({
      ...(GENERATED[0] as CommandSpec),
      name: `c${i}`,
      subcommands: [],
    }));
    const table = new CommandTable(specs);
    for (const { name } of specs) assert.equal(table.findByName(name)?.name, name);
    assert.equal(table.findByName('c1000'), undefined);
  });
});

describe('overrides, additions and handling rows', () => {
  /** Not in 7.0 any more. */
  const OLDER = ['stralgo'];

  it('every override names a command that exists, once, changes something, and has a reason', () => {
    for (const { name, change, reason } of OVERRIDES.filter((row) => !OLDER.includes(row.name))) {
      const spec = ALL_SPECS.find((known) => known.name === name);
      assert.ok(spec, name);
      assert.notDeepEqual({ ...spec, ...change }, spec, `${name} is as the server says`);
      assert.ok(reason.length > 10, name);
    }
    assert.equal(new Set(OVERRIDES.map(({ name }) => name)).size, OVERRIDES.length);
  });

  it('every addition is of a container that exists, is new to it, and has a reason', () => {
    for (const { spec, reason } of ADDITIONS) {
      assert.ok(ALL_NAMES.has(spec.name.split('|', 1)[0] ?? ''), spec.name);
      assert.equal(ALL_NAMES.has(spec.name), false, spec.name);
      assert.ok(reason.length > 10, spec.name);
      assert.equal(SHIPPED_TABLE.findByName(spec.name)?.arity, spec.arity);
    }
  });

  /** Not in 7.0, or not in a server without its option. */
  const NEWER = [
    'waitaof',
    'client|setinfo',
    'client|no-touch',
    'cluster|myshardid',
    'script|show',
    'cluster|help',
    'client|capa',
  ];

  it('every handling row has a reason, and every name in it is known and stands once', () => {
    const names = HANDLING.flatMap((row) => row.names);
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.ok(ALL_NAMES.has(name) || NEWER.includes(name), name);
    for (const { names: of, reason } of HANDLING) assert.ok(reason.length > 4, of.join());
  });

  it('an override is applied to the shipped table and to a live reply alike', () => {
    const msetnx = ['msetnx', -3, ['write'], 1, -1, 2, [], ['request_policy:multi_shard'], [], []];
    for (const table of [SHIPPED_TABLE, tableFromReply([msetnx])]) {
      assert.equal(table.findByName('msetnx')?.handling, 'keys');
      assert.equal(table.findByName('msetnx')?.spec.requestPolicy, 'none');
    }
  });
});
