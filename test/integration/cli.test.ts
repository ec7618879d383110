/** The program as people start it: `evalgate serve` and `evalgate dev` as processes, with signals, ports and leftovers. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { LocalCluster } from '../../src/control/local-cluster.ts';
import { RawClient } from '../support/client.ts';
import { waitFor } from '../support/cluster.ts';

const MAIN = join(import.meta.dirname, '../../src/main.js');
const folder = mkdtempSync(join(tmpdir(), 'evalgate-cli-'));
after(() => rmSync(folder, { recursive: true }));

/** A running program whose output is kept; its temp files go to `temp`. */
class Program {
  readonly child: ChildProcess;
  readonly temp: string;
  out = '';
  err = '';

  constructor(...argv: readonly string[]) {
    this.temp = mkdtempSync(join(folder, 'temp-'));
    // Its own process group, as a terminal gives it to npm and all that npm starts.
    this.child = spawn(process.execPath, [MAIN, ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, TMPDIR: this.temp },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.out += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.err += text;
    });
  }

  /** The first match in what it has written to stdout. */
  async written(pattern: RegExp): Promise<RegExpExecArray> {
    await waitFor(`output like ${pattern}`, () => pattern.test(this.out) || this.child.exitCode !== null);
    const match = pattern.exec(this.out);
    assert.ok(match, `not in its output: ${this.out}${this.err}`);
    return match;
  }

  signalGroup(signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): void {
    process.kill(-(this.child.pid ?? Number.NaN), signal);
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }
}

function configFile(name: string, config: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(config));
  return file;
}

describe('evalgate serve', () => {
  it('listens, tells where, and ends with 0 on SIGTERM and SIGINT', async (t) => {
    const cluster = await LocalCluster.start({ masters: 1, replicas: 0 });
    t.after(() => cluster.stop());
    const file = configFile('serve.yaml', { listen: { port: 0 }, cluster: { nodes: cluster.seeds } });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const program = new Program('serve', '--config', file);
      const [line] = await program.written(/^.*"msg":"listening".*$/m);
      const { host, port } = JSON.parse(line) as { host: string; port: number };
      const client = await RawClient.connect(port, host);
      assert.equal(await client.text('SET', 'k', 'v'), '+OK\r\n');
      program.signalGroup(signal);
      assert.equal(await program.ended(), 0);
      await client.closed();
      assert.equal(program.err, '');
    }
  });

  it('ends with 1 and one line when the port is in use', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    const file = configFile('taken.yaml', { listen: { port }, cluster: { nodes: ['127.0.0.1:1'] } });
    const program = new Program('serve', '--config', file);
    assert.equal(await program.ended(), 1);
    assert.match(program.err, new RegExp(`^Cannot [^\\n]*${port}[^\\n]*\\n$`));
  });
});

describe('evalgate dev', () => {
  it('serves, says what to try, and leaves nothing behind on Ctrl-C', async () => {
    const program = new Program('dev', '--port', '0', '--replicas', '0');
    const [, port] = await program.written(/redis-cli -p (\d+) EVAL/);
    const client = await RawClient.connect(Number(port));
    assert.equal(await client.text('SET', 'greeting', 'hello'), '+OK\r\n');
    assert.equal(await client.text('EVAL', "return redis.call('GET', KEYS[1])", 1, 'greeting'), '$5\r\nhello\r\n');
    // npm passes on the signal that the terminal has sent already: it comes twice.
    program.signalGroup('SIGINT');
    program.signalGroup('SIGINT');
    assert.equal(await program.ended(), 0);
    assert.deepEqual(readdirSync(program.temp), []);
    assert.equal(program.err, '');
  });

  it('leaves nothing behind when it is stopped while the cluster starts', async () => {
    const program = new Program('dev', '--port', '0');
    await waitFor('the cluster starts', () => readdirSync(program.temp).length > 0);
    program.signalGroup('SIGINT');
    await program.ended();
    await waitFor('its files are gone', () => readdirSync(program.temp).length === 0);
  });

  it('leaves nothing behind when it is stopped in the moment in which it makes its folder', async () => {
    for (let round = 0; round < 10; round++) {
      const program = new Program('dev', '--port', '0');
      // Without a pause: the signal has to come before what is started next has a process group of its own.
      while (readdirSync(program.temp).length === 0) assert.equal(program.child.exitCode, null);
      const later = performance.now() + round / 3;
      while (performance.now() < later);
      program.signalGroup('SIGINT');
      await program.ended();
      await waitFor('its files are gone', () => readdirSync(program.temp).length === 0);
    }
  });

  it('ends with 1 and one line when there is no server binary', async () => {
    const child = spawn(process.execPath, [MAIN, 'dev', '--port', '0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/nowhere' },
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      err += text;
    });
    await once(child, 'close');
    assert.equal(child.exitCode, 1);
    assert.match(err, /^Cannot start a local cluster: [^\n]*install[^\n]*\n$/);
  });
});
