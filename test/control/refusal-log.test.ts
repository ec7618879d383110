import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from '../../src/control/log.ts';
import { RefusalLog } from '../../src/control/refusal-log.ts';
import type { Finding } from '../../src/lua/report.ts';
import { shaOf } from '../../src/script/sha.ts';

const FINDING: Finding = {
  rule: 'nested',
  severity: 'error',
  text: 'ERR bad lua script for redis cluster, nested redis.call/redis.pcall',
  line: 3,
  column: 7,
  sourceLine: "  x = redis.call('GET', redis.call('GET', KEYS[1]))",
  advice: 'put the result of the inner call into a local first',
};

function setUp() {
  const clock = { nowMs: 1e6 };
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ level: 'info', format: 'json' }, { write: (line) => lines.push(JSON.parse(line)) });
  const log = new RefusalLog(logger, () => clock.nowMs);
  const refuse = (body: string, isObserved = false) => {
    log.onRefusal({ sha: shaOf(Buffer.from(body)), finding: FINDING, isObserved });
    return lines.length;
  };
  return { clock, lines, log, refuse };
}

describe('RefusalLog', () => {
  it('tells sha, rule, place, the line itself, what to change, and the text on the wire', () => {
    const { lines, refuse } = setUp();
    refuse('a');
    const { time: _time, pid: _pid, hostname: _hostname, ...line } = lines[0] ?? {};
    assert.deepEqual(line, {
      level: 'warn',
      sha: shaOf(Buffer.from('a')),
      rule: 'nested',
      line: 3,
      column: 7,
      source: "  x = redis.call('GET', redis.call('GET', KEYS[1]))",
      advice: 'put the result of the inner call into a local first',
      error: 'ERR bad lua script for redis cluster, nested redis.call/redis.pcall',
      msg: 'script refused',
    });
  });

  it('says that a script is only observed', () => {
    const { lines, refuse } = setUp();
    refuse('a', true);
    assert.equal(lines[0]?.['msg'], 'script would be refused');
  });

  it('tells once a sha and minute', () => {
    const { clock, refuse } = setUp();
    assert.deepEqual([refuse('a'), refuse('a'), refuse('b'), refuse('a'), refuse('b')], [1, 1, 2, 2, 2]);
    clock.nowMs += 59_999;
    assert.deepEqual([refuse('a'), refuse('b')], [2, 2]);
    clock.nowMs += 1;
    assert.deepEqual([refuse('a'), refuse('a'), refuse('b'), refuse('b')], [3, 3, 4, 4]);
  });

  it('writes 100 lines a minute, and tells at its end how many scripts there was no room for', () => {
    const { clock, lines, refuse } = setUp();
    for (let i = 0; i < 10_000; i++) refuse(String(i));
    assert.equal(lines.length, 100);
    clock.nowMs += 60_000;
    assert.equal(refuse('9999'), 102);
    assert.deepEqual([lines[100]?.['scripts'], lines[101]?.['sha']], [9900, shaOf(Buffer.from('9999'))]);
  });

  it('tells of bodies that are not analysed', () => {
    const { lines, log } = setUp();
    log.onNotAnalysed(shaOf(Buffer.from('a')), 'it does not parse');
    const { level, sha, reason, msg } = lines[0] ?? {};
    assert.deepEqual(
      [level, sha, reason, msg],
      ['info', shaOf(Buffer.from('a')), 'it does not parse', 'script is not analysed: forwarded as it is'],
    );
  });
});
