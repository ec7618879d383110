/** `evalgate top` with a running evalgate, and without. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCli } from '../../src/control/cli.ts';
import { adminPort } from '../support/admin.ts';
import { RawClient } from '../support/client.ts';
import { waitFor } from '../support/cluster.ts';
import { Gateway } from '../support/gateway.ts';
import { shaOf } from '../support/stand.ts';

const COUNT = "-- counts\nreturn redis.call('INCR', KEYS[1])";

/** Runs `evalgate top` as far as it goes by itself. */
async function top(port: number, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const result = { code: 0, out: '', err: '' };
  result.code = await runCli(['top', '--url', `http://127.0.0.1:${port}`, ...argv], {
    out: (text) => {
      result.out += text;
    },
    err: (text) => {
      result.err += text;
    },
    environment: {},
    // The signal comes when something was drawn.
    untilStopSignal: () => waitFor('a screen', () => result.out.includes('\x1b[2J')),
  });
  return result;
}

describe('evalgate top', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evalgate-top-'));
  const tokenFile = join(folder, 'token');
  const wrongFile = join(folder, 'wrong');
  writeFileSync(tokenFile, 'open sesame\n');
  writeFileSync(wrongFile, 'open barley');
  let gateway: Gateway;

  before(async () => {
    const options = { masters: 1, replicas: 0, nodeTimeoutMs: 15_000 };
    gateway = await Gateway.start(options, { admin: { port: 0, token: 'open sesame' } });
  });
  after(async () => {
    await gateway.stop();
    rmSync(folder, { recursive: true });
  });

  it('--once prints one table with the rates of a second', async () => {
    const client = await RawClient.connect(gateway.port);
    await client.command('EVAL', COUNT, 1, 'n');
    const printed = top(adminPort(gateway.proxy), '--once', '--token-file', tokenFile);
    const until = performance.now() + 800;
    while (performance.now() < until) await client.command('EVAL', COUNT, 1, 'n');
    client.close();
    const { code, out, err } = await printed;
    assert.deepEqual([code, err], [0, '']);
    const lines = out.trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^evalgate \d+\.\d+\.\d+ {2}up \d+:\d\d:\d\d {2}ready$/);
    const row = lines.find((line) => line.includes(shaOf(COUNT).slice(0, 8))) ?? '';
    assert.match(row, /^ +([1-9][\d.]*k?) +0 +[\d.]+ +[\d.]+ +\d+ {2}[0-9a-f]{8} {2}counts$/);
    assert.ok(lines.every((line) => line.length <= 80));
  });

  it('draws until the signal', async () => {
    const { code, out, err } = await top(adminPort(gateway.proxy), '--token-file', tokenFile);
    assert.deepEqual([code, err], [0, '']);
    assert.ok(out.startsWith('\x1b[H\x1b[2Jevalgate '), out);
  });

  it('ends with 1 and one line when nothing answers, the token is missing or wrong, or it is no evalgate', async () => {
    const port = adminPort(gateway.proxy);
    const other = createServer((_, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const otherPort = (other.address() as AddressInfo).port;
    const cases: [port: number, argv: string[], reason: RegExp][] = [
      [1, [], /^Cannot read the admin port at http:\/\/127\.0\.0\.1:1: (nothing listens there|bad port)\n$/],
      [port, [], /: it wants a token: give --token-file or EVALGATE_ADMIN_TOKEN\n$/],
      [port, ['--token-file', wrongFile], /: it wants a token/],
      [port, ['--token-file', join(folder, 'none')], /^Cannot read token file ".*none": there is no such file\n$/],
      [otherPort, [], /: what answers there is no evalgate\n$/],
    ];
    for (const [port, argv, reason] of cases) {
      const { code, out, err } = await top(port, '--once', ...argv);
      assert.deepEqual([code, out], [1, '']);
      assert.match(err, reason);
    }
    other.close();
  });
});
