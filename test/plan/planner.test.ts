import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tableFromReply } from '../../src/command/table.ts';
import { forwardTo, type Plan } from '../../src/plan/plan.ts';
import { slotOfKey } from '../support/cluster.ts';
import { plannerOf } from '../support/planning.ts';
import { requestFrom, requestOf } from '../support/request.ts';

const SHA = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db';

/** A plan in a few words. */
function shown(plan: Plan): string {
  switch (plan.kind) {
    case 'reply':
      return plan.bytes.toString('latin1').trimEnd();
    case 'forward':
      return plan.slot < 0 ? 'any' : `slot ${plan.slot}`;
    case 'local':
      return `local ${plan.command.name}`;
    case 'broadcast':
      return `${plan.scope} ${plan.policy}`;
    case 'script_command':
      return `script ${plan.action}`;
    case 'split':
      return `split ${plan.policy} ${plan.parts.map(({ slot, keys }) => `${slot}:${keys.join(',')}`).join(' ')}`;
    case 'call':
      return `call ${plan.form} slot ${plan.slot}`;
    case 'transaction':
      return plan.slot < 0 ? plan.action : `${plan.action} slot ${plan.slot}`;
    case 'block':
      return `block slot ${plan.slot} until ${plan.timeoutIndex} ${plan.unit}`;
    case 'subscription':
      return `${plan.command.name} slot ${plan.slot}`;
    case 'pubsub':
      return plan.command.name;
    case 'scan':
    case 'randomkey':
    case 'wait':
    case 'close':
      return plan.kind;
  }
}

function planned(request: string): string {
  return shown(plannerOf().planner.plan(requestOf(...request.split(' '))));
}

const [A, B] = [slotOfKey('a'), slotOfKey('b')];
const CROSS_SLOT = "-CROSSSLOT Keys in request don't hash to the same slot";

const PLANS: [request: string, plan: string][] = [
  ['GET a', `slot ${A}`],
  ['get a', `slot ${A}`],
  ['SET {a}x 1', `slot ${A}`],
  ['OBJECT ENCODING a', `slot ${A}`],
  ['object help', 'any'],
  ['RENAME {a}1 {a}2', `slot ${A}`],
  ['RENAME a b', CROSS_SLOT],
  ['SORT a STORE b', CROSS_SLOT],
  ['ZUNIONSTORE {a}d 2 {a}1 {a}2', `slot ${A}`],
  ['ZUNIONSTORE d 2 a b', CROSS_SLOT],
  ['ZUNIONSTORE {a}d 9 a b', `slot ${A}`],
  ['ZUNION x a b', 'any'],
  ['MSETNX a 1 b 2', CROSS_SLOT],
  ['SUBSCRIBE a b', 'subscribe slot -1'],
  ['PUNSUBSCRIBE', 'punsubscribe slot -1'],
  ['SSUBSCRIBE {a}1 {a}2', `ssubscribe slot ${A}`],
  ['SSUBSCRIBE a b', CROSS_SLOT],
  ['SUNSUBSCRIBE a b', CROSS_SLOT],
  ['SUNSUBSCRIBE', 'sunsubscribe slot -1'],
  ['SUBSCRIBE', 'any'],
  ['PUBLISH a b', 'any'],
  ['SPUBLISH a b', `slot ${A}`],
  ['PUBSUB NUMSUB a', 'pubsub|numsub'],
  ['PUBSUB HELP', 'any'],
  ['PUBSUB NUMPAT x', 'any'],
  ['TIME', 'any'],
  ['SELECT 0', 'any'],
  ['SELECT x', 'any'],
  ['SELECT 1', '-ERR SELECT is not allowed in cluster mode'],
  ['SELECT -1', '-ERR SELECT is not allowed in cluster mode'],
  ['SELECT 01', '-ERR SELECT is not allowed in cluster mode'],
  ['CONFIG GET port', 'any'],
  ['CONFIG', 'any'],
  ['NOSUCH a b', 'any'],
  ['CONFIG NOSUCH x', 'any'],
  ['SCRIPT NOSUCH', 'any'],
  ['CLUSTER NOSUCH', "-ERR unknown subcommand 'NOSUCH'. Try CLUSTER HELP."],
  ['client nosuch x', "-ERR unknown subcommand 'nosuch'. Try CLIENT HELP."],
  [
    'CLUSTER FORGET x',
    "-ERR evalgate: 'CLUSTER FORGET' is not supported: is about the nodes behind evalgate, which shows itself as one node: ask a node of the cluster",
  ],
  ['CLUSTER', "-ERR wrong number of arguments for 'cluster' command"],
  ['CLUSTER SLOTS', 'local cluster|slots'],
  ['CLUSTER SLOTS x', "-ERR wrong number of arguments for 'cluster|slots' command"],
  ['CLUSTER COUNTKEYSINSLOT 16383', 'slot 16383'],
  ['CLUSTER COUNTKEYSINSLOT 16384', 'any'],
  ['CLUSTER COUNTKEYSINSLOT -1', 'any'],
  ['CLUSTER GETKEYSINSLOT 0 5', 'slot 0'],
  ['CLUSTER GETKEYSINSLOT x 5', 'any'],
  ['CLUSTER GETKEYSINSLOT 0', 'any'],
  ['BGSAVE', 'nodes all_succeeded'],
  ['LASTSAVE', 'nodes agg_min'],
  ['ACL SETUSER x', 'nodes all_succeeded'],
  ['MODULE LIST', 'any'],
  ['MGET {a}1 {a}2', `slot ${A}`],
  ['MGET a b {a}c', `split none ${A}:0,2 ${B}:1`],
  ['MGET a a', `slot ${A}`],
  ['DEL b a b', `split agg_sum ${B}:0,2 ${A}:1`],
  ['MSET a 1 b 2', `split all_succeeded ${A}:0 ${B}:1`],
  ['MSET {a}1 1 {a}2', `slot ${A}`],
  ['MSET a 1 b', "-ERR wrong number of arguments for 'mset' command"],
  ['GET', 'any'],
  ['GET a b', 'any'],
  ['MGET', 'any'],
  ['DBSIZE', 'shards agg_sum'],
  ['KEYS *', 'shards none'],
  ['FLUSHALL', 'shards all_succeeded'],
  ['CONFIG SET a b', 'nodes all_succeeded'],
  ['DBSIZE x', 'any'],
  ['WAIT 1 0', 'wait'],
  ['PING', 'local ping'],
  ['CLIENT ID', 'local client|id'],
  ['ECHO', "-ERR wrong number of arguments for 'echo' command"],
  ['CLIENT SETNAME', "-ERR wrong number of arguments for 'client|setname' command"],
  ['CLIENT KILL x', 'local client|kill'],
  ['CLIENT KILL', "-ERR wrong number of arguments for 'client|kill' command"],
  ['CLIENT', "-ERR wrong number of arguments for 'client' command"],
  ['XREAD STREAMS a 0', `slot ${A}`],
  ['XREAD COUNT 1 STREAMS a b 0 0', CROSS_SLOT],
  ['XREAD BLOCK 0 STREAMS a 0', `block slot ${A} until 2 ms`],
  ['XREADGROUP GROUP g c block 5 STREAMS a >', `block slot ${A} until 5 ms`],
  ['BLPOP a {a}b 0', `block slot ${A} until 3 s`],
  ['BLMOVE a {a}b LEFT RIGHT 1', `block slot ${A} until 5 s`],
  ['BLMPOP 1.5 2 a {a}b LEFT', `block slot ${A} until 1 s`],
  ['BZPOPMIN a b 0', CROSS_SLOT],
  ['BLPOP a', 'any'],
  ['MULTI', 'multi'],
  ['exec', 'exec'],
  ['DISCARD', 'discard'],
  ['UNWATCH', 'unwatch'],
  ['WATCH a {a}b', `watch slot ${A}`],
  ['WATCH a b', CROSS_SLOT],
  ['WATCH', "-ERR wrong number of arguments for 'watch' command"],
  ['XREAD STREAMS block 0', `slot ${slotOfKey('block')}`],
  ['XREAD COUNT 1 a', 'any'],
  ['SCAN 0', 'scan'],
  ['RANDOMKEY', 'randomkey'],
  ['SCRIPT LOAD x', 'script load'],
  ['SCRIPT EXISTS x y', 'script exists'],
  ['SCRIPT FLUSH', 'script flush'],
  ['SCRIPT KILL', 'script kill'],
  ['FUNCTION KILL', 'script kill'],
  ['SCRIPT DEBUG YES', '-ERR script debug not support'],
  ['SCRIPT DEBUG', '-ERR script debug not support'],
  ['SCRIPT DEBUG a b c', '-ERR script debug not support'],
  ['SCRIPT LOAD', 'any'],
  ['SCRIPT', 'any'],
  ['EVAL x 1 a', `call eval slot ${A}`],
  ['EVALSHA x 1 a', `call evalsha slot ${A}`],
  ['FCALL f 1 a', `call function slot ${A}`],
  ['EVAL', "-ERR wrong number of arguments for 'eval' command"],
  ['EVALSHA_RO x', "-ERR wrong number of arguments for 'evalsha_ro' command"],
  ['FCALL f', 'any'],
  ['POST / HTTP/1.1', 'close'],
  ['Host: x', 'close'],
  ['host:', 'close'],
  ['Hosts: x', 'any'],
];

describe('Planner', () => {
  for (const [request, plan] of PLANS) {
    it(`Planner plans ${request}`, () => assert.equal(planned(request), plan));
  }

  it('tells the command of the request that was planned last', () => {
    const { planner } = plannerOf();
    planner.plan(requestOf('CONFIG', 'GET', 'x'));
    assert.equal(planner.command?.name, 'config|get');
    planner.plan(requestOf('NOSUCH'));
    assert.equal(planner.command, undefined);
  });

  it('interns forward plans', () => {
    const { planner } = plannerOf();
    assert.equal(planner.plan(requestOf('GET', 'a')), forwardTo(A));
    assert.equal(planner.plan(requestOf('SET', 'a', '1')), forwardTo(A));
    assert.equal(forwardTo(16383).slot, 16383);
    assert.equal(Object.isFrozen(forwardTo(A)), true);
  });

  it('leaves SCRIPT SHOW to the session, which knows whose it is; without a sha to the node', () => {
    // Valkey's, as 7.0 has none.
    const show = ['script|show', 3, ['noscript'], 0, 0, 0, [], [], [], []];
    const { planner } = plannerOf({
      table: tableFromReply([['script', -2, [], 0, 0, 0, [], [], [], [show]]]),
    });
    assert.equal(shown(planner.plan(requestOf('SCRIPT', 'SHOW', SHA))), 'script show');
    assert.equal(shown(planner.plan(requestOf('SCRIPT', 'SHOW'))), 'any');
  });
});

describe('splitBySlot', () => {
  function parts(bytes: Buffer): string[] {
    const plan = plannerOf().planner.plan(requestFrom(bytes));
    assert.equal(plan.kind, 'split');
    return plan.kind === 'split' ? plan.parts.map(({ frame }) => frame.toString('latin1')) : [];
  }

  it('makes one request for each slot, keys and values as they came', () => {
    const bytes = Buffer.from(
      '*7\r\n$4\r\nmSeT\r\n$1\r\na\r\n$0\r\n\r\n$1\r\nb\r\n$2\r\n\r\n\r\n$4\r\n{a}\xff\r\n$1\r\n$\r\n',
      'latin1',
    );
    assert.deepEqual(parts(bytes), [
      '*5\r\n$4\r\nmSeT\r\n$1\r\na\r\n$0\r\n\r\n$4\r\n{a}\xff\r\n$1\r\n$\r\n',
      '*3\r\n$4\r\nmSeT\r\n$1\r\nb\r\n$2\r\n\r\n\r\n',
    ]);
  });

  it('is not misled by bytes that nobody looks at', () => {
    // The byte behind a `\r` is not read by Redis, and here is the `$` of nothing.
    assert.deepEqual(parts(Buffer.from('*3\r$$3\r$DEL\r\n$1\r\na\r\n$1\r\nb\r\n')), [
      '*2\r\n$3\r$DEL\r\n$1\r\na\r\n',
      '*2\r\n$3\r$DEL\r\n$1\r\nb\r\n',
    ]);
  });

  it('sends what stands before the first and behind the last key with every part', () => {
    // No command of 7.0 has such; a module may.
    const range = ['type', 'range', 'spec', ['lastkey', -2, 'keystep', 1, 'limit', 0]];
    const keySpecs = [['flags', ['RO'], 'begin_search', ['type', 'index', 'spec', ['index', 2]], 'find_keys', range]];
    const row = ['m.get', -4, [], 2, -2, 1, [], ['request_policy:multi_shard'], keySpecs, []];
    const { planner } = plannerOf({ table: tableFromReply([row]) });
    const plan = planner.plan(requestOf('m.get', 'option', 'a', 'b', 'last'));
    assert.equal(plan.kind, 'split');
    assert.deepEqual(plan.kind === 'split' && plan.parts.map(({ frame }) => String(frame)), [
      '*4\r\n$5\r\nm.get\r\n$6\r\noption\r\n$1\r\na\r\n$4\r\nlast\r\n',
      '*4\r\n$5\r\nm.get\r\n$6\r\noption\r\n$1\r\nb\r\n$4\r\nlast\r\n',
    ]);
  });

  it('forwards what does not fit the key specifications, for the server to say so', () => {
    const upTo = (lastKey: number) => ['type', 'range', 'spec', ['lastkey', lastKey, 'keystep', 1, 'limit', 0]];
    const at = (index: number) => ['type', 'index', 'spec', ['index', index]];
    const keySpecs = [
      ['flags', ['RO'], 'begin_search', at(1), 'find_keys', upTo(1)],
      ['flags', ['RO'], 'begin_search', at(3), 'find_keys', upTo(2)],
    ];
    const row = ['m.n', -4, [], 1, 1, 1, [], ['request_policy:multi_shard'], keySpecs, []];
    const { planner } = plannerOf({ table: tableFromReply([row]) });
    assert.equal(shown(planner.plan(requestOf('m.n', 'a', 'b', '5', 'c'))), 'any');
  });

  it('looks for the key of an unknown subcommand where the container has one, as in 6.2', () => {
    const { planner } = plannerOf({ table: tableFromReply([['object', -2, ['readonly'], 2, 2, 1]]) });
    assert.equal(shown(planner.plan(requestOf('OBJECT', 'BOGUS', 'a'))), `slot ${slotOfKey('a')}`);
    assert.equal(shown(planner.plan(requestOf('OBJECT', 'BOGUS'))), 'any');
    assert.equal(shown(planner.plan(requestOf('OBJECT', 'HELP'))), 'any');
  });

  it('does not split what tells the number of its keys: MSETEX of Valkey 9.1', () => {
    const keynum = ['type', 'keynum', 'spec', ['keynumidx', 0, 'firstkey', 1, 'keystep', 2]];
    const begin = ['type', 'index', 'spec', ['index', 1]];
    const tips = ['request_policy:multi_shard', 'response_policy:all_succeeded'];
    const keySpecs = [['flags', ['OW', 'UPDATE'], 'begin_search', begin, 'find_keys', keynum]];
    const { planner } = plannerOf({ table: tableFromReply([['msetex', -4, ['write'], 0, 0, 0, [], tips, keySpecs]]) });
    const wanted = "-CROSSSLOT Keys in request don't hash to the same slot";
    assert.equal(shown(planner.plan(requestOf('MSETEX', '2', 'a', '1', 'b', '2', 'EX', '100'))), wanted);
    const whole = planner.plan(requestOf('MSETEX', '2', '{a}1', '1', '{a}2', '2', 'EX', '100'));
    assert.equal(shown(whole), `slot ${slotOfKey('a')}`);
  });

  it('splits 10,000 keys', () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}`);
    const plan = plannerOf().planner.plan(requestOf('MGET', ...keys));
    assert.equal(plan.kind, 'split');
    if (plan.kind !== 'split') return;
    assert.deepEqual(
      plan.parts.flatMap((part) => part.keys).sort((a, b) => a - b),
      [...keys.keys()],
    );
    for (const part of plan.parts) assert.ok(part.keys.every((key) => slotOfKey(keys[key] as string) === part.slot));
  });
});
