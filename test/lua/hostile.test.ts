/** Bodies that mean harm: each gets an answer, and none takes long. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeCall } from '../../src/lua/judge-call.ts';
import { callOf, LEGACY, reportFor, SAFE, TAIR } from './support/checking.ts';

/** Far above what is measured (50 ms); the machines that run tests are slow and busy. */
const GUARD_MS = 1000;
const MAX_BYTES = 262_144;

const fill = (unit: string) => unit.repeat(Math.floor(MAX_BYTES / unit.length));

const BODIES: Readonly<Record<string, string>> = {
  empty: '',
  NULs: fill('\0'),
  'every byte': Buffer.from(Array.from({ length: MAX_BYTES }, (_, i) => (i * 7919) & 255)).toString('latin1'),
  'invalid UTF-8': `return '${fill('\xc3\x28').slice(0, 1000)}', redis.call('\xff\xfe')`,
  '20,000 nested parentheses': `return ${'('.repeat(20_000)}1${')'.repeat(20_000)}`,
  '5,000 nested functions': `return ${'function() return '.repeat(5000)}1${' end'.repeat(5000)}`,
  '190 nested blocks': `${'do '.repeat(190)}${'x = y '.repeat(5000)}${'end '.repeat(190)}`,
  '2 MB of calls': "redis.call('GET', KEYS[1])\n".repeat(80_000),
  '256 KiB of calls': fill("redis.call('GET', KEYS[1])\n"),
  'calls never closed': fill('redis.call('),
  'an endless long string': `return [==[${fill('x')}`,
  'an endless comment': `--[[${fill('-')}`,
  quotes: fill("'"),
  'a long literal': `redis.call('${'\\n'.repeat(130_000)}')`,
  'a long command': `redis.call('${'x'.repeat(260_000)}')`,
  'unpack a thousand times': `redis.call('DEL'${', unpack(x)'.repeat(5000)})`,
  'nested calls': `${"redis.call('GET', ".repeat(180)}1${')'.repeat(180)}`,
  'nested loops': `${'for i = 1, 2 do '.repeat(30)}${"redis.call('GET', k) k = k .. 'x' ".repeat(300)}${'end '.repeat(30)}`,
  'keys without end': Array.from({ length: 2000 }, (_, i) => `redis.call('GET', KEYS[1] .. '${i}')`).join(' '),
  'calls that double': Array.from({ length: 150 }, (_, i) =>
    i === 0
      ? "local function f0(a) redis.call('GET', a) end"
      : `local function f${i}(a) f${i - 1}(a .. 'x') f${i - 1}(a .. 'y') end`,
  )
    .concat('f149(KEYS[1])')
    .join(' '),
  'functions that call each other': `${Array.from({ length: 500 }, (_, i) => `k${i} = function() k${(i * 7) % 500}() k${(i * 3 + 1) % 500}() end`).join(' ')} k1()`,
  'tables in themselves': "local t = {} t.t = t t[1] = t for k, v in pairs(t) do t[v] = t redis.call('GET', t.t.t) end",
};

describe('hostile bodies', () => {
  for (const [name, body] of Object.entries(BODIES)) {
    it(`get an answer: ${name}`, () => {
      for (const policy of [TAIR, LEGACY, SAFE]) {
        const startedAt = performance.now();
        const report = reportFor(body, policy);
        if (report.conditions !== undefined) judgeCall(report.conditions, callOf(['{a}'], ['b']));
        const tookMs = performance.now() - startedAt;
        assert.ok(tookMs < GUARD_MS, `${policy.profile}: ${tookMs.toFixed()} ms`);
        assert.ok(report.findings.length <= 100);
      }
    });
  }
});
