import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDenial, type Judged, judge, type Verdict } from '../../src/plan/judge.ts';

const SLOT = 100;
const NOSCRIPT = Buffer.from('-NOSCRIPT No matching script. Please use EVAL.\r\n');
const PLAIN: Judged = {
  slot: SLOT,
  isCall: false,
  isFunction: false,
  wentAsEvalsha: false,
  isOurForm: false,
  isWitness: false,
};
const CALL: Judged = { ...PLAIN, isCall: true };
const EVALSHA: Judged = { ...CALL, wentAsEvalsha: true };
const WITNESS: Judged = { ...CALL, isWitness: true };
const KEYLESS: Judged = { ...PLAIN, slot: -1 };

function verdict(line: string, judged: Judged, noscript: Buffer | undefined = NOSCRIPT): Verdict {
  return judge(Buffer.from(`${line}\r\n`, 'latin1'), judged, noscript);
}

const DELIVER = { kind: 'deliver' };
const CONFIRM = { kind: 'confirm' };
const MOVED = { kind: 'redirect', redirect: { kind: 'moved', slot: SLOT, host: '10.0.0.1', port: 7001 } };
const ASK = { kind: 'redirect', redirect: { kind: 'ask', slot: SLOT, host: '10.0.0.1', port: 7001 } };
const SOON = { kind: 'retry', afterMs: 10, refresh: false };
const LATER = { kind: 'retry', afterMs: 100, refresh: true };

const TABLE: [line: string, plain: object, call: object, witness: object][] = [
  ['+OK', DELIVER, DELIVER, DELIVER],
  ['+MOVED 100 10.0.0.1:7001', DELIVER, DELIVER, DELIVER],
  ['$5\r\n-MOVE', DELIVER, DELIVER, DELIVER],
  ['-ERR x', DELIVER, DELIVER, DELIVER],
  ['-ERR', DELIVER, DELIVER, DELIVER],
  ['-', DELIVER, DELIVER, DELIVER],
  ['-BUSY Redis is busy running a script.', DELIVER, DELIVER, DELIVER],
  ['-NOPERM x', DELIVER, DELIVER, DELIVER],
  ['-CROSSSLOT x', DELIVER, DELIVER, DELIVER],
  ['-MOVED 100 10.0.0.1:7001', MOVED, CONFIRM, MOVED],
  ['-ASK 100 10.0.0.1:7001', ASK, CONFIRM, ASK],
  ['-MOVED 101 10.0.0.1:7001', DELIVER, DELIVER, DELIVER],
  ['-ASK 101 10.0.0.1:7001', DELIVER, DELIVER, DELIVER],
  ['-MOVED 100', DELIVER, DELIVER, DELIVER],
  ['-MOVED', DELIVER, DELIVER, DELIVER],
  ['-ASK 100 nowhere', DELIVER, DELIVER, DELIVER],
  ['-TRYAGAIN Multiple keys request during rehashing of slot', SOON, CONFIRM, SOON],
  ['-TRYAGAIN', SOON, CONFIRM, SOON],
  ['-CLUSTERDOWN The cluster is down', LATER, CONFIRM, LATER],
  ['-CLUSTERDOWN Hash slot not served', LATER, CONFIRM, LATER],
  ['-LOADING Redis is loading the dataset in memory', LATER, CONFIRM, LATER],
  ["-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", LATER, CONFIRM, LATER],
  ["-READONLY You can't write against a read only replica.", LATER, CONFIRM, LATER],
  ['-READONLYX x', DELIVER, DELIVER, DELIVER],
  ['-tryagain x', DELIVER, DELIVER, DELIVER],
  ['- TRYAGAIN x', DELIVER, DELIVER, DELIVER],
  // Words that every object of JavaScript knows.
  ['-constructor x', DELIVER, DELIVER, DELIVER],
  ['-toString', DELIVER, DELIVER, DELIVER],
  ['-__proto__ x', DELIVER, DELIVER, DELIVER],
  ['-NOSCRIPT No matching script. Please use EVAL.', DELIVER, DELIVER, DELIVER],
  // Longer than any node's own.
  [`-TRYAGAIN ${'x'.repeat(512)}`, DELIVER, DELIVER, DELIVER],
  [`-MOVED 100 ${'x'.repeat(512)}:7001`, DELIVER, DELIVER, DELIVER],
];

const DENIALS: [line: string, kind: string][] = [
  ["NOPERM this user has no permissions to run the 'evalsha' command", 'denial'],
  ["NOPERM this user has no permissions to run the 'eval_ro' command or its subcommand", 'denial'],
  ["NOPERM User app has no permissions to run the 'eval' command", 'denial'],
  ["NOPERM User app has no permissions to run the 'get' command", 'deliver'],
  ['NOPERM this user has no permissions to access one of the keys used as arguments', 'deliver'],
  ["ERR NOPERM 'eval' command", 'deliver'],
];

describe('judge of what an ACL refuses', () => {
  for (const [line, kind] of DENIALS) {
    it(`${kind}: ${line}`, () => {
      const reply = Buffer.from(`-${line}\r\n`);
      assert.equal(judge(reply, { ...CALL, isOurForm: true }, undefined).kind, kind);
      assert.equal(judge(reply, CALL, undefined).kind, 'deliver', 'as it came');
      assert.equal(isDenial(reply), kind === 'denial');
    });
  }
});

describe('judge', () => {
  for (const [line, plain, call, witness] of TABLE) {
    const shown = JSON.stringify(line.slice(0, 60));
    it(`judge of ${shown} to a plain command`, () => assert.deepEqual(verdict(line, PLAIN), plain));
    it(`judge of ${shown} to a call`, () => assert.deepEqual(verdict(line, CALL), call));
    it(`judge of ${shown} to a witness`, () => assert.deepEqual(verdict(line, WITNESS), witness));
  }

  it('judge heals NOSCRIPT only when it answers an EVALSHA with the text of that node', () => {
    const line = '-NOSCRIPT No matching script. Please use EVAL.';
    assert.deepEqual(verdict(line, EVALSHA), { kind: 'heal' });
    assert.deepEqual(judge(NOSCRIPT, EVALSHA, undefined), DELIVER);
    assert.deepEqual(verdict(line, EVALSHA, Buffer.from('-NOSCRIPT No matching script.\r\n')), DELIVER);
    assert.deepEqual(verdict('-NOSCRIPT No matching script.', EVALSHA), DELIVER);
    assert.deepEqual(
      verdict('-NOSCRIPT No matching script.', EVALSHA, Buffer.from('-NOSCRIPT No matching script.\r\n')),
      { kind: 'heal' },
    );
    assert.deepEqual(verdict('-NOSCRIPT mine', EVALSHA), DELIVER);
    assert.deepEqual(verdict('-TRYAGAIN x', EVALSHA), CONFIRM);
  });

  it('judge follows no redirect of a request without keys, but retries one', () => {
    assert.deepEqual(verdict('-MOVED 100 10.0.0.1:7001', KEYLESS), DELIVER);
    assert.deepEqual(verdict('-LOADING x', KEYLESS), LATER);
    assert.deepEqual(verdict('-LOADING x', { ...KEYLESS, isCall: true }), CONFIRM);
  });

  it('judge reads a reply that stands within other bytes', () => {
    const bytes = Buffer.from('+OK\r\n-TRYAGAIN x\r\n+OK\r\n');
    assert.deepEqual(judge(bytes.subarray(5, 18), PLAIN, NOSCRIPT), SOON);
  });
});

describe('judge of Function not found', () => {
  const LINE = '-ERR Function not found';
  const FUNCTION: Judged = { ...CALL, isFunction: true };
  it('asks the node whether that is true, for functions only, and only for its very words', () => {
    assert.deepEqual(verdict(LINE, FUNCTION), { kind: 'load_function' });
    assert.deepEqual(verdict(`${LINE}.`, FUNCTION), DELIVER);
    assert.deepEqual(verdict(LINE, CALL), DELIVER);
    assert.deepEqual(verdict(LINE, PLAIN), DELIVER);
    assert.deepEqual(verdict(LINE, WITNESS), DELIVER);
  });
});
