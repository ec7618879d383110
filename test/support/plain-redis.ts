/**
 * One redis-server without data for the tests of a file: to ask the real one how it reads, splits and finds keys. It
 * is cluster-enabled (for CLUSTER KEYSLOT) but owns no slot.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { findServer } from '../../src/control/local-server.ts';
import { pollUntil } from '../../src/control/poll.ts';
import { findFreePorts } from '../../src/control/ports.ts';
import { RawClient } from './client.ts';

export class PlainRedis {
  port = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), 'evalgate-redis-'));
  #server: ChildProcess | undefined;
  readonly #kill = () => this.#server?.kill('SIGKILL');

  /** A client of its own; closed when the server ends. */
  connect(): Promise<RawClient> {
    return RawClient.connect(this.port);
  }

  async start(): Promise<void> {
    const [port = 0] = await findFreePorts(1);
    this.port = port;
    const options = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--cluster-enabled', 'yes'];
    this.#server = spawn(findServer(), [...options, '--dir', this.#folder], { stdio: 'ignore' });
    process.once('exit', this.#kill);
    const answers = async () => {
      try {
        const client = await this.connect();
        client.close();
        return true;
      } catch {
        return false;
      }
    };
    if (!(await pollUntil(answers, { timeoutMs: 10_000 }))) throw new Error('redis-server did not start within 10 s');
  }

  async stop(): Promise<void> {
    process.off('exit', this.#kill);
    const server = this.#server;
    if (server !== undefined && server.exitCode === null) {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Starts a server before the tests of the suite that is being described, and ends it behind them. */
export function plainRedis(): PlainRedis {
  const redis = new PlainRedis();
  before(() => redis.start());
  after(() => redis.stop());
  return redis;
}
