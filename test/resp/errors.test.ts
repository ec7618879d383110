import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EVALGATE, errorLine, LUA, PROTOCOL, REDIS, TAIR } from '../../src/resp/errors.ts';

/** Verbatim from the specification: users, clients and outside tests match on these bytes. */
const SPECIFIED: [actual: string, text: string][] = [
  [REDIS.arity('eval'), "ERR wrong number of arguments for 'eval' command"],
  [TAIR.notInMulti('EVAL'), "ERR 'EVAL' command is not supported in MULTI/EXEC transactions"],
  [REDIS.notAnInteger, 'ERR value is not an integer or out of range'],
  [TAIR.keyless, "ERR for redis cluster, eval/evalsha number of keys can't be negative or zero"],
  [REDIS.negativeKeys, "ERR Number of keys can't be negative"],
  [REDIS.tooManyKeys, "ERR Number of keys can't be greater than number of args"],
  [TAIR.sameSlot('EVAL'), "ERR 'EVAL' command keys must in same slot"],
  [TAIR.scriptDebug, 'ERR script debug not support'],
  [EVALGATE.registryFull, 'ERR evalgate: script registry is full (registry_max_bytes)'],
  [REDIS.crossSlot, "CROSSSLOT Keys in request don't hash to the same slot"],
  [EVALGATE.partFailed, ', other parts may have run'],
  [EVALGATE.notSupported('MULTI'), "ERR evalgate: 'MULTI' is not supported"],
  [EVALGATE.notSupported('MULTI', 'a reason'), "ERR evalgate: 'MULTI' is not supported: a reason"],
  [
    EVALGATE.lost('127.0.0.1:7001'),
    'ERR evalgate: connection to 127.0.0.1:7001 lost before the reply, the command may have run or may still run',
  ],
  [
    EVALGATE.noPrimary(1234, 5000),
    'CLUSTERDOWN evalgate: no primary for slot 1234 within 5000 ms, the command did not run',
  ],
  [REDIS.maxClients, 'ERR max number of clients reached'],
  [PROTOCOL.invalidBulkLength, 'ERR Protocol error: invalid bulk length'],
  [PROTOCOL.invalidMultibulkLength, 'ERR Protocol error: invalid multibulk length'],
];

/** Every text of the table, with something in its places. */
const ALL = [REDIS, PROTOCOL, TAIR, LUA, EVALGATE].flatMap((group) =>
  Object.entries(group).map(([name, text]: [string, string | ((...args: never[]) => string)]) => {
    const make = text as (...args: unknown[]) => string;
    return [name, typeof text === 'string' ? text : make('a', 'b')] as const;
  }),
);

describe('errors', () => {
  for (const [actual, text] of SPECIFIED) {
    it(`errors has "${text}" byte for byte`, () => assert.equal(actual, text));
  }

  it('every text begins with a code, is one line, and ends without a full stop where it is ours', () => {
    for (const [name, text] of ALL) {
      if (name === 'partFailed') continue;
      assert.match(text, /^[A-Z]+ [^\r\n]+$/, name);
    }
    for (const [name, text] of Object.entries(EVALGATE)) {
      const shown = typeof text === 'string' ? text : (text as (...args: unknown[]) => string)('a', 'b');
      assert.match(shown, name === 'partFailed' ? /^, / : /^(ERR|CLUSTERDOWN|NOAUTH) evalgate: /, name);
      assert.doesNotMatch(shown, /\.$/, name);
    }
  });

  it('what concerns a request that was on its way says what the client may assume', () => {
    for (const name of [
      'lost',
      'silent',
      'desynchronized',
      'notSent',
      'noPrimary',
      'noTopology',
      'tooManyRedirects',
      'tooManyWaiting',
    ] as const) {
      const entry: unknown = EVALGATE[name];
      const text = typeof entry === 'function' ? String(entry('a', 'b')) : String(entry);
      assert.match(text, /the command (did not run|may have run or may still run)$/, name);
    }
  });
});

describe('errorLine', () => {
  const lines: [text: string, bytes: string][] = [
    ['ERR x', '-ERR x\r\n'],
    ['ERR a\r\nb\nc\rd', '-ERR a  b c d\r\n'],
    ['ERR \x80\xe9\xff', '-ERR \x80\xe9\xff\r\n'],
    ['ERR \u0100', '-ERR \xc4\x80\r\n'],
    ['ERR é 漢字 \u{1f600}!', '-ERR \xe9 \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80!\r\n'],
    ['', '-\r\n'],
  ];
  for (const [text, bytes] of lines) {
    it(`errorLine writes ${JSON.stringify(text)}`, () => assert.equal(errorLine(text).toString('latin1'), bytes));
  }
});
