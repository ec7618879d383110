/** redis-cli: one command, scripts from files, pipes, the modes that walk all keys, the cluster mode; redis-benchmark. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Gateway } from '../../support/gateway.ts';

const KEYS = 200;

describe('redis-cli and redis-benchmark', () => {
  let gateway: Gateway;
  let folder: string;

  before(async () => {
    gateway = await Gateway.start({ masters: 3, replicas: 0, nodeTimeoutMs: 15_000 });
    folder = mkdtempSync(join(tmpdir(), 'evalgate-cli-'));
    const sets = Array.from({ length: KEYS }, (_, i) => `SET piped:${i} ${'x'.repeat(i + 1)}`);
    const { out } = await run('redis-cli', ['--pipe'], sets.join('\r\n'));
    assert.match(out, new RegExp(`errors: 0, replies: ${KEYS}`));
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await gateway.stop();
  });

  async function run(command: string, args: readonly string[], stdin = ''): Promise<{ out: string; code: number }> {
    const child = spawn(command, ['-h', '127.0.0.1', '-p', String(gateway.port), ...args], { timeout: 20_000 });
    let out = '';
    const keep = (chunk: Buffer) => {
      out += chunk;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.stdin.end(stdin);
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ out: out.trim(), code: code ?? -1 }));
    });
  }
  async function cli(...args: string[]): Promise<string> {
    return (await run('redis-cli', args)).out;
  }

  it('one command, in RESP2 and RESP3, with errors', async () => {
    assert.equal(await cli('GET', 'piped:2'), 'xxx');
    assert.equal(await cli('-3', 'GET', 'piped:2'), 'xxx');
    assert.match(await cli('-3', '--json', 'CONFIG', 'GET', 'maxmemory'), /\{"maxmemory":"0"\}/);
    const failed = await run('redis-cli', ['-e', 'LPUSH', 'piped:2', 'x']);
    assert.match(failed.out, /WRONGTYPE/);
    assert.equal(failed.code, 1);
    assert.equal(await cli('-r', '3', 'INCR', 'counter'), '1\n2\n3');
    assert.equal((await run('redis-cli', ['-x', 'SET', 'from-stdin'], 'piped value')).out, 'OK');
    assert.equal(await cli('GET', 'from-stdin'), 'piped value');
  });

  it('a session from stdin, with a transaction', async () => {
    const { out } = await run('redis-cli', [], 'MULTI\nSET {s}a 1\nINCR {s}a\nEXEC\nGET {s}a\n');
    assert.equal(out, 'OK\nQUEUED\nQUEUED\nOK\n2\n2');
  });

  it('--eval', async () => {
    const file = join(folder, 'script.lua');
    writeFileSync(file, "return redis.call('STRLEN', KEYS[1]) + tonumber(ARGV[1])");
    assert.equal(await cli('--eval', file, 'piped:9', ',', '32'), '42');
    writeFileSync(file, 'return redis.call(');
    assert.match(await cli('--eval', file, 'piped:9'), /expect '\)'/);
  });

  it('--scan, --bigkeys, --memkeys, --stat', async () => {
    const scanned = (await cli('--scan', '--pattern', 'piped:*')).split('\n');
    assert.equal(new Set(scanned).size, KEYS);
    assert.match(await cli('--bigkeys'), /Biggest string found "?'?"?piped:199"?'?"? has 200 bytes/);
    assert.match(await cli('--memkeys'), /Sampled \d+ keys in the keyspace/);
  });

  it('-c: evalgate is a cluster of one node to it', async () => {
    for (let i = 0; i < 20; i++) assert.equal(await cli('-c', 'GET', `piped:${i}`), 'x'.repeat(i + 1));
    assert.match(await cli('--cluster', 'check', `127.0.0.1:${gateway.port}`), /All 16384 slots covered/);
  });

  it('redis-benchmark: its default tests, pipelined, with random keys, and a script', async () => {
    const { out, code } = await run('redis-benchmark', ['-q', '-n', '2000', '-c', '10', '-P', '8', '-r', '1000']);
    assert.equal(code, 0, out);
    assert.doesNotMatch(out, /rror/);
    assert.match(out, /SET: .* requests per second/);
    assert.match(out, /MSET \(10 keys\): .* requests per second/);
    const script = ['EVAL', "return redis.call('SET', KEYS[1], ARGV[1])", '1', 'key:__rand_int__', 'value'];
    const scripts = await run('redis-benchmark', ['-q', '-n', '2000', '-c', '10', '-P', '8', '-r', '1000', ...script]);
    assert.match(scripts.out, /requests per second/);
    assert.doesNotMatch(scripts.out, /rror/);
  });

  it('redis-benchmark --cluster refuses a cluster of one node, which evalgate is to it', async () => {
    const { out, code } = await run('redis-benchmark', ['--cluster', '-q', '-n', '100', '-t', 'set']);
    assert.equal(out, 'Invalid cluster: 1 node(s).');
    assert.equal(code, 1);
  });
});
