import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LEGACY, RESOLVE, reportFor, SAFE, TAIR } from './support/checking.ts';

describe('check', () => {
  it('gives all findings in source order, of one site in the order of the rules', () => {
    const script = "redis.call(x, redis.call('NOPE'))\nlocal c = redis.call\nreturn unpack(KEYS)";
    const { findings } = reportFor(script);
    assert.deepEqual(
      findings.map(({ rule, line, column }) => `${rule} ${line}:${column}`),
      ['nested 1:15', 'literal 1:1', 'unknown-command 1:15', 'parentheses 2:11', 'unpack 3:8'],
    );
    assert.ok(findings.every(({ advice, severity }) => advice !== '' && severity === 'error'));
  });

  it('cuts the source line to 120 characters, not in the middle of one', () => {
    const [finding] = reportFor(Buffer.from(`redis.call(x) -- ${'é'.repeat(200)}`, 'utf8').toString('latin1')).findings;
    assert.equal(finding?.sourceLine, `redis.call(x) -- ${'é'.repeat(103)}`);
  });

  it('counts lines as Lua does', () => {
    const [finding] = reportFor('local a = 1\r\nlocal b\n\rlocal c\rlocal d\n  redis.call(x)').findings;
    assert.deepEqual([finding?.line, finding?.column, finding?.sourceLine], [5, 3, '  redis.call(x)']);
  });

  it('does not analyse a body larger than the policy says', () => {
    const body = "redis.call('NOPE')";
    assert.notEqual(reportFor(body, { ...TAIR, maxBytes: body.length }).refusal, undefined);
    const report = reportFor(body, { ...TAIR, maxBytes: body.length - 1 });
    assert.deepEqual(
      [report.refusal, report.isReadOnly, report.isOpaque, report.notAnalysed],
      [undefined, false, true, 'it is larger than 17 bytes'],
    );
  });

  it('accepts what Lua accepts and luaparse alone does not', () => {
    for (const script of [
      "for i = 1, 2 do break; end return redis.call('NOPE')",
      "while true do break --[[ ; ]] ; end return redis.call('NOPE')",
      "repeat local s = 'break;' break ; until true return redis.call('NOPE')",
      "#!lua\nreturn redis.call('NOPE')",
      "return 'end', redis.call('NOPE')",
      "return 0x1F..'x', 0xfff..'y', redis.call('NOPE')",
    ]) {
      assert.ok(reportFor(script).refusal?.endsWith('NOPE'), script);
    }
  });

  it('walks 20,000 operands and calls in a row', () => {
    for (const chain of [
      `1${'+1'.repeat(4900)}`,
      `f${'()'.repeat(9000)}`,
      `a${'.b'.repeat(9000)}`,
      `x${' or x'.repeat(9000)}`,
    ]) {
      assert.ok(reportFor(`local y = ${chain} redis.call('NOPE')`).refusal?.endsWith('NOPE'));
      assert.ok(reportFor(`local y = ${chain} redis.call('NOPE')`, SAFE).refusal?.endsWith('NOPE'));
    }
  });

  it('follows aliases only where it can', () => {
    const refusalOf = (script: string) => reportFor(script, RESOLVE).refusal;
    assert.equal(refusalOf("local c = redis.call if x then c = f end c('NOPE')"), undefined);
    assert.equal(refusalOf("local c = redis.call f(c) c('NOPE')"), undefined);
    assert.equal(refusalOf("local c = redis.call do local c = f c('NOPE') end"), undefined);
    assert.ok(refusalOf("local c = redis.call do c('NOPE') end")?.endsWith('NOPE'));
    assert.ok(refusalOf("local c = redis.call local function g() return c('NOPE') end")?.endsWith('NOPE'));
  });

  it('is the same for the same body and policy', () => {
    const script = "local k = KEYS[1] .. 'x' return redis.call('GET', k, unpack(KEYS))";
    for (const policy of [TAIR, LEGACY, SAFE]) assert.deepEqual(reportFor(script, policy), reportFor(script, policy));
  });
});

describe('check on read-only scripts (R12c)', () => {
  const readOnly = [
    'return 1',
    "return redis.call('GET', KEYS[1])",
    "local c = redis.call return c('HGETALL', KEYS[1])",
    "redis.call('TIME') return redis.call('OBJECT', 'ENCODING', KEYS[1])",
    "return server.pcall('get', 'x')",
    '#!lua flags=no-writes\nredis.call(ARGV[1])',
    '#!lua flags=allow-stale,no-writes name=x\nreturn 1',
    "redis.log(redis.LOG_NOTICE, redis.sha1hex('x')) return redis.error_reply('x')",
  ];
  const others = [
    "return redis.call('SET', KEYS[1], 'x')",
    'return redis.call(ARGV[1], KEYS[1])',
    "return redis.call('PUBLISH', 'x', 'y')",
    // May write what it counted.
    "return redis.call('PFCOUNT', KEYS[1])",
    "return redis.call('OBJECT', ARGV[1], KEYS[1])",
    "return redis.call('SUBSCRIBE', 'x')",
    "return redis.call('NOPE')",
    "return redis[x]('GET', KEYS[1])",
    "return redis.CALL('GET', KEYS[1])",
    "return t.redis.call('GET', KEYS[1])",
    "return redis:call('GET', KEYS[1])",
    "local r = redis return r.call('GET', KEYS[1])",
    'local redis = redis return 1',
    "return pcall(redis.call, 'GET', KEYS[1])",
    "local c = redis.call f(c) return c('GET', KEYS[1])",
    '_G.x = 1',
    "return loadstring('x')",
    "#!lua\nreturn redis.call('GET', KEYS[1])",
    "#!lua flags=allow-stale\nreturn redis.call('GET', KEYS[1])",
    '#!js flags=no-writes\nreturn 1',
    'return return',
  ];
  for (const script of readOnly) it(`proves ${script}`, () => assert.equal(reportFor(script).isReadOnly, true));
  for (const script of others) it(`does not prove ${script}`, () => assert.equal(reportFor(script).isReadOnly, false));
});
