/** A running `evalgate` as people start it: a process of its own, whose output is kept. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { waitFor } from './cluster.ts';

const MAIN = join(import.meta.dirname, '../../src/main.js');

export class Program {
  readonly child: ChildProcess;
  out = '';
  err = '';

  constructor(...argv: readonly string[]) {
    this.child = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.out += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.err += text;
    });
  }

  /** The port on which it serves, once it does. */
  async listening(): Promise<number> {
    const [line] = await this.written(/^.*"msg":"listening".*$/m);
    return (JSON.parse(line) as { port: number }).port;
  }

  /** The first match in what it has written to stdout; fails when it ends without it. */
  async written(pattern: RegExp): Promise<RegExpExecArray> {
    await waitFor(`output like ${pattern}`, () => pattern.test(this.out) || this.#isOver);
    const match = pattern.exec(this.out);
    assert.ok(match, `not in its output: ${this.out}${this.err}`);
    return match;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** The exit code, or the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    if (!this.#isOver) await once(this.child, 'close');
    return this.child.exitCode ?? this.child.signalCode;
  }

  /** Ends it, however. */
  async stop(): Promise<void> {
    if (!this.#isOver) this.child.kill('SIGKILL');
    await this.ended();
  }

  get #isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}
