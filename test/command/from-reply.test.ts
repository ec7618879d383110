import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { specsFromReply } from '../../src/command/from-reply.ts';
import { GENERATED } from '../../src/command/generated.ts';
import { KeyPositions, keyPositions } from '../../src/command/key-positions.ts';
import type { CommandSpec } from '../../src/command/spec.ts';
import { SHIPPED_TABLE, tableFromReply } from '../../src/command/table.ts';
import { requestOf } from '../support/request.ts';

function keySpec(flags: unknown, begin: unknown, find: unknown): unknown {
  return ['flags', flags, 'begin_search', begin, 'find_keys', find];
}

const INDEX = ['type', 'index', 'spec', ['index', 1]];
const RANGE = ['type', 'range', 'spec', ['lastkey', -1, 'keystep', 1, 'limit', 0]];

/** A row of 7.0. */
function row(name: unknown, tips: unknown = [], keySpecs: unknown = [], subcommands: unknown = []): unknown[] {
  return [name, 2, ['readonly', 'fast'], 1, 1, 1, ['@read'], tips, keySpecs, subcommands];
}

function only(reply: unknown): CommandSpec {
  const [spec, ...others] = specsFromReply(reply);
  assert.ok(spec);
  assert.equal(others.length, 0);
  return spec;
}

describe('specsFromReply', () => {
  it('reads a row of 7.0', () => {
    const tips = ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:agg_sum'];
    const spec = only([row('NAME', tips, [keySpec(['RO', 'ACCESS'], INDEX, RANGE)], [row('name|Sub')])]);
    assert.deepEqual(
      { ...spec, subcommands: spec.subcommands.map(({ name }) => name) },
      {
        name: 'name',
        arity: 2,
        flags: ['readonly', 'fast'],
        keySpecs: [
          {
            begin: { kind: 'index', index: 1 },
            find: { kind: 'range', lastKey: -1, keyStep: 1, limit: 0 },
            flags: ['ro', 'access'],
          },
        ],
        requestPolicy: 'all_shards',
        responsePolicy: 'agg_sum',
        subcommands: ['name|sub'],
      },
    );
  });

  it('reads keywords and key numbers', () => {
    const keyword = ['type', 'keyword', 'spec', ['keyword', 'STREAMS', 'startfrom', -2]];
    const keynum = ['type', 'keynum', 'spec', ['keynumidx', 1, 'firstkey', 2, 'keystep', 3]];
    assert.deepEqual(only([row('x', [], [keySpec([], keyword, keynum)])]).keySpecs, [
      {
        begin: { kind: 'keyword', keyword: 'streams', startFrom: -2 },
        find: { kind: 'keynum', keyNumIndex: 1, firstKey: 2, keyStep: 3 },
        flags: [],
      },
    ]);
  });

  const badSpecs: [name: string, spec: unknown][] = [
    ['nothing', undefined],
    ['text', 'x'],
    ['an unknown search', keySpec([], ['type', 'unknown', 'spec', []], RANGE)],
    ['an unknown find', keySpec([], INDEX, ['type', 'unknown', 'spec', ['keystep', 1]])],
    ['an index of 0', keySpec([], ['type', 'index', 'spec', ['index', 0]], RANGE)],
    ['an index of text', keySpec([], ['type', 'index', 'spec', ['index', '1']], RANGE)],
    ['a keyword of a number', keySpec([], ['type', 'keyword', 'spec', ['keyword', 1, 'startfrom', 1]], RANGE)],
    ['a keyword without a start', keySpec([], ['type', 'keyword', 'spec', ['keyword', 'K']], RANGE)],
    ['a step of 0', keySpec([], INDEX, ['type', 'range', 'spec', ['lastkey', 1, 'keystep', 0, 'limit', 0]])],
    ['no step', keySpec([], INDEX, ['type', 'range', 'spec', ['lastkey', 1]])],
    ['half a pair', ['flags']],
  ];
  for (const [name, spec] of badSpecs) {
    it(`leaves out a key specification: ${name}`, () => {
      const specs = only([row('x', [], [spec, keySpec(['RO'], INDEX, RANGE)])]).keySpecs;
      assert.equal(specs.length, 1);
    });
  }

  const policies: [tips: unknown, request: string, response: string][] = [
    [[], 'none', 'none'],
    [undefined, 'none', 'none'],
    [[7, null, 'request_policy:all_nodes'], 'all_nodes', 'none'],
    [['request_policy:some_nodes', 'response_policy:agg_avg'], 'none', 'none'],
    [['response_policy:special'], 'none', 'special'],
  ];
  for (const [tips, request, response] of policies) {
    it(`reads tips ${JSON.stringify(tips)}`, () => {
      const spec = only([row('x', tips)]);
      assert.deepEqual([spec.requestPolicy, spec.responsePolicy], [request, response]);
    });
  }

  const garbage: unknown[] = [
    undefined,
    null,
    'OK',
    7,
    new Error('ERR unknown command'),
    [],
    [null, 1, 'x', [], [[]], {}],
    [['', 2, []], [7, 2, []], ['x', '2', []], ['x']],
    [[['x'], 2, []]],
  ];
  garbage.forEach((reply, i) => {
    it(`makes nothing of garbage ${i + 1}`, () => {
      assert.deepEqual(specsFromReply(reply), []);
      assert.equal(tableFromReply(reply), SHIPPED_TABLE);
    });
  });

  it('keeps the good rows among garbage, sorted', () => {
    assert.deepEqual(
      specsFromReply([row('b'), null, ['x'], ['a', 1], row('c', 'x', 'y', 'z')]).map(({ name }) => name),
      ['a', 'b', 'c'],
    );
  });
});

describe('tableFromReply', () => {
  /** What 6.2 tells of a command: no tips, key specifications or subcommands. */
  const OLD: unknown[] = [
    ['get', 2, ['readonly', 'fast'], 1, 1, 1],
    ['mset', -3, ['write', 'denyoom'], 1, -1, 2],
    ['eval', -3, ['noscript', 'movablekeys'], 0, 0, 0],
    ['xread', -4, ['readonly', 'movablekeys'], 0, 0, 0],
    ['config', -2, ['admin'], 0, 0, 0],
    ['dbsize', 1, ['readonly', 'fast'], 0, 0, 0],
    ['object', -2, ['readonly'], 2, 2, 1],
    ['stralgo', -2, ['readonly', 'movablekeys'], 0, 0, 0],
    ['mymodule.get', 3, ['readonly'], 2, 2, 1],
    ['mymodule.pairs', -3, ['write'], 1, -1, 2],
    ['mymodule.last', -3, ['write'], 2, -2, 1],
    ['mymodule.odd', 2, ['readonly'], 1, 1, 0],
    ['mymodule.none', 2, ['readonly'], 0, 0, 0],
    ['mymodule.text', 2, ['readonly'], '1', '1', '1'],
  ];
  const table = tableFromReply(OLD);

  it('takes what 6.2 does not tell from the shipped table', () => {
    for (const name of ['get', 'mset', 'eval', 'xread', 'dbsize', 'config|set', 'client|id']) {
      if (name === 'client|id') assert.equal(table.findByName(name), undefined, 'the server has no CLIENT');
      else
        assert.deepEqual(
          table.findByName(name)?.spec,
          SHIPPED_TABLE.findByName(name)?.spec && { ...SHIPPED_TABLE.findByName(name)?.spec, ...liveFacts(name) },
        );
    }
    assert.equal(table.findByName('mset')?.handling, 'split');
    assert.equal(table.findByName('dbsize')?.spec.responsePolicy, 'agg_sum');
  });

  it('knows QUIT, which 6.2 does without calling it a command', () => {
    assert.equal(table.findByName('quit')?.handling, 'local');
  });

  it('finds the key of OBJECT with an unknown subcommand, which 6.2 redirects', () => {
    assert.equal(table.findByName('object')?.soleKeyIndex, 2);
    assert.equal(table.findByName('object|encoding')?.soleKeyIndex, 2);
    assert.equal(table.findByName('object|help')?.hasKeys, false);
  });

  it('finds the keys of STRALGO, which only 6.2 has', () => {
    const { spec } = table.findByName('stralgo') ?? {};
    assert.ok(spec);
    const keys: [request: string, keys: string][] = [
      ['STRALGO LCS KEYS a b', '3,4'],
      ['STRALGO LCS LEN KEYS a b IDX', '4,5'],
      ['STRALGO LCS STRINGS keys b', ''],
      ['STRALGO LCS', ''],
    ];
    const out = new KeyPositions();
    for (const [request, wanted] of keys) {
      keyPositions(spec, requestOf(...request.split(' ')), out);
      assert.equal(Array.from({ length: out.count }, (_, i) => out.at(i)).join(), wanted, request);
    }
  });

  /** Arity and flags are the live server's. */
  function liveFacts(name: string): object {
    const live = OLD.find((known) => (known as unknown[])[0] === name) as unknown[] | undefined;
    return live === undefined ? {} : { arity: live[1], flags: live[2] };
  }

  const modules: [name: string, find: unknown][] = [
    ['mymodule.get', { kind: 'range', lastKey: 0, keyStep: 1, limit: 0 }],
    ['mymodule.pairs', { kind: 'range', lastKey: -1, keyStep: 2, limit: 0 }],
    ['mymodule.last', { kind: 'range', lastKey: -2, keyStep: 1, limit: 0 }],
    ['mymodule.odd', undefined],
    ['mymodule.none', undefined],
    ['mymodule.text', undefined],
  ];
  for (const [name, find] of modules) {
    it(`makes the key specification of ${name} from first, last and step`, () => {
      assert.deepEqual(table.findByName(name)?.spec.keySpecs[0]?.find, find);
    });
  }

  it('is the shipped table again for the reply that it was generated from', () => {
    const rows = GENERATED.map(rowOf);
    assert.deepEqual(
      tableFromReply(rows).commands.map(({ spec }) => spec),
      SHIPPED_TABLE.commands.map(({ spec }) => spec),
    );
  });
});

/** A spec as `COMMAND` would tell it. */
function rowOf(spec: CommandSpec): unknown[] {
  const tips = [`request_policy:${spec.requestPolicy}`, `response_policy:${spec.responsePolicy}`];
  const keySpecs = spec.keySpecs.map(({ begin, find, flags }) => {
    const beginSpec =
      begin.kind === 'index'
        ? ['index', begin.index]
        : ['keyword', begin.keyword.toUpperCase(), 'startfrom', begin.startFrom];
    const findSpec =
      find.kind === 'range'
        ? ['lastkey', find.lastKey, 'keystep', find.keyStep, 'limit', find.limit]
        : ['keynumidx', find.keyNumIndex, 'firstkey', find.firstKey, 'keystep', find.keyStep];
    return keySpec(flags, ['type', begin.kind, 'spec', beginSpec], ['type', find.kind, 'spec', findSpec]);
  });
  return [spec.name, spec.arity, spec.flags, 0, 0, 0, [], tips, keySpecs, spec.subcommands.map(rowOf)];
}
