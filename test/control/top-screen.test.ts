import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Look,
  shortBytes,
  shortNumber,
  type TopScript,
  type TopStatus,
  topLines,
} from '../../src/control/top-screen.ts';

const STATUS: TopStatus = {
  version: '1.2.3',
  ready: true,
  problem: null,
  uptimeS: 3725,
  clients: 42,
  memoryBytes: 90 * 1024 * 1024,
  requests: 1000,
  errors: 10,
  heals: 1,
  refusals: 3,
  p50Ms: 0.314,
  p99Ms: 12.34,
  scripts: 2,
};

const SCRIPT: TopScript = {
  sha: 'a'.repeat(40),
  title: 'counts things',
  bytes: 2048,
  calls: 100,
  errors: 2,
  p50Ms: 0.25,
  p99Ms: 250.4,
};

const SCREEN = { columns: 80, rows: 24 };

function look(atMs: number, status: Partial<TopStatus>, ...scripts: Partial<TopScript>[]): Look {
  return { atMs, status: { ...STATUS, ...status }, scripts: scripts.map((script) => ({ ...SCRIPT, ...script })) };
}

describe('topLines', () => {
  it('shows totals and scripts with the rates between two looks', () => {
    const before = look(1000, {}, {});
    const now = look(3000, { requests: 21_000, errors: 11 }, { calls: 400 });
    assert.deepEqual(topLines(before, now, SCREEN), [
      'evalgate 1.2.3  up 1:02:05  ready',
      '    req/s    err/s   p50 ms   p99 ms  clients    heals  refused   memory',
      '    10.0k      0.5     0.31     12.3       42        1        3    90.0M',
      '',
      ' calls/s  errors  p50 ms  p99 ms   bytes  sha       script (2 held)',
      '     150       2    0.25     250    2.0K  aaaaaaaa  counts things',
    ]);
  });

  it('puts those on top that are called most now, and as many as there is room for', () => {
    const scripts = Array.from({ length: 50 }, (_, i) => ({ sha: String(i).padStart(40, '0'), title: `script ${i}` }));
    const before = look(0, {}, ...scripts.map((script) => ({ ...script, calls: 1000 })));
    const now = look(1000, {}, ...scripts.map((script, i) => ({ ...script, calls: 1000 + i })));
    const lines = topLines(before, now, { columns: 80, rows: 24 });
    assert.ok(lines.length < 24);
    assert.deepEqual(
      lines.slice(5, 7).map((line) => line.slice(-9)),
      ['script 49', 'script 48'],
    );
  });

  it('fits the width, and says why it is not ready', () => {
    const status = {
      ready: false,
      problem: 'primary 10.0.0.1:6379 does not answer: connect ECONNREFUSED 10.0.0.1:6379',
    };
    const now = look(1000, status, { title: 'x'.repeat(80) });
    for (const columns of [40, 80, 200]) {
      const lines = topLines(look(0, {}), now, { columns, rows: 24 });
      assert.ok(
        lines.every((line) => line.length <= columns),
        lines.join('\n'),
      );
    }
    assert.match(topLines(look(0, {}), now, SCREEN)[0] ?? '', /NOT READY: primary 10\.0\.0\.1/);
  });

  it('lets no control character of a script reach the terminal', () => {
    const now = look(1000, {}, { title: 'a\x1b[2Jb\r\u0007\u009bc\u202ed' });
    const text = topLines(look(0, {}), now, SCREEN).join('\n');
    assert.match(text, /a·\[2Jb···c·d$/);
  });

  it('shows no negative rates when evalgate was restarted, and no numbers that are not known', () => {
    const now = look(1000, { requests: 5, p50Ms: null, p99Ms: null }, { calls: 1, p50Ms: null, p99Ms: null });
    const lines = topLines(look(0, {}, {}), now, SCREEN);
    assert.match(lines[2] ?? '', /^ {8}0 {8}0 {8}- {8}-/);
    assert.match(lines[5] ?? '', /^ {7}0 {7}2 {7}- {7}-/);
    assert.match(topLines(look(0, {}), look(1000, {}), SCREEN)[5] ?? '', /no script/);
  });
});

describe('shortNumber', () => {
  for (const [value, text] of [
    [0, '0'],
    [0.44, '0.4'],
    [7, '7'],
    [9999, '9999'],
    [9999.4, '9999'],
    [12_345, '12.3k'],
    [999_949, '1000k'],
    [1_234_567, '1.2M'],
    [1_234_567_890, '1235M'],
  ] as const) {
    it(`${value} → ${text}`, () => assert.equal(shortNumber(value), text));
  }
});

describe('shortBytes', () => {
  for (const [value, text] of [
    [0, '0'],
    [1023, '1023'],
    [1024, '1.0K'],
    [150 * 1024, '150K'],
    [64 * 1024 * 1024, '64.0M'],
    [3 * 1024 ** 3, '3.0G'],
  ] as const) {
    it(`${value} → ${text}`, () => assert.equal(shortBytes(value), text));
  }
});
