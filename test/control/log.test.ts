import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createLogger } from '../../src/control/log.ts';

function logged(
  format: 'json' | 'pretty',
  level: 'info' | 'warn' | 'silent',
): { lines: string[]; log: ReturnType<typeof createLogger> } {
  const lines: string[] = [];
  return { lines, log: createLogger({ format, level }, { write: (line) => lines.push(line) }) };
}

describe('createLogger', () => {
  it('writes one JSON object a line, with the level as a word', () => {
    const { lines, log } = logged('json', 'info');
    log.info({ host: '127.0.0.1', port: 6380 }, 'listening');
    assert.equal(lines.length, 1);
    const { level, host, port, msg } = JSON.parse(lines[0] ?? '');
    assert.deepEqual({ level, host, port, msg }, { level: 'info', host: '127.0.0.1', port: 6380, msg: 'listening' });
  });

  it('writes for people at once', () => {
    const { lines, log } = logged('pretty', 'info');
    log.warn({ node: '127.0.0.1:7001' }, 'connection lost');
    assert.match(lines.join(''), /WARN.*connection lost[\s\S]*127\.0\.0\.1:7001/);
  });

  it('leaves out what is below the level', () => {
    const { lines, log } = logged('json', 'warn');
    log.info('no');
    log.warn('yes');
    assert.equal(lines.length, 1);
    const silent = logged('pretty', 'silent');
    silent.log.fatal('no');
    assert.equal(silent.lines.length, 0);
  });

  for (const format of ['json', 'pretty'] as const) {
    it(`redacts secrets (${format})`, () => {
      const { lines, log } = logged(format, 'info');
      log.info({
        password: '271828',
        config: { cluster: { password: '271828', username: 'u' } },
        admin: { token: '271828' },
      });
      assert.ok(!lines.join('').includes('271828'));
      assert.ok(lines.join('').includes('[secret]'));
    });
  }
});
