/**
 * The evalgates of the chaos test: processes of `evalgate serve` that share a store in the cluster, and can be killed.
 * Their folders are those of the cluster, so that they and their files go with it, however the test ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LocalCluster } from '../../src/control/local-cluster.ts';
import { waitFor } from '../support/cluster.ts';

const MAIN = join(import.meta.dirname, '../../src/main.js');
const LOG_TAIL_CHARS = 10_000;
/** What a log must not hold. */
const FAULT = /this is a bug|uncaught/i;

export class Evalgate {
  readonly #folder: string;
  readonly #cluster: LocalCluster;
  readonly #workers: number;
  #process: ChildProcess | undefined;
  #logged = '';
  #errors = '';
  port = 0;

  constructor(cluster: LocalCluster, name: string, workers: number) {
    const [node] = cluster.nodes;
    this.#cluster = cluster;
    this.#workers = workers;
    // The cluster's cleaner kills what the file `pid` of each folder names, and removes them all.
    this.#folder = join(dirname(node?.folder ?? ''), name);
    mkdirSync(this.#folder);
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** Resolves when it listens, on a free port. */
  async start(): Promise<void> {
    const config = join(this.#folder, 'evalgate.yaml');
    writeFileSync(
      config,
      JSON.stringify({
        listen: { port: 0 },
        cluster: { nodes: this.#cluster.seeds },
        scripting: { store: { type: 'cluster' } },
        workers: this.#workers,
      }),
    );
    this.#logged = '';
    const child = spawn(process.execPath, [MAIN, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    writeFileSync(join(this.#folder, 'pid'), String(child.pid));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#logged += text;
      this.#errors += text
        .split('\n')
        .filter((line) => FAULT.test(line))
        .join('\n');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    child.once('exit', () => {
      this.#process = undefined;
      rmSync(join(this.#folder, 'pid'), { force: true });
    });
    await waitFor('evalgate listens', () => /"msg":"listening"/.test(this.#logged) || !this.isRunning);
    const line = this.#logged.split('\n').find((text) => text.includes('"msg":"listening"'));
    if (line === undefined) throw new Error(`evalgate did not start: ${this.#logged}${this.#errors}`);
    this.port = (JSON.parse(line) as { port: number }).port;
  }

  async stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Process ids of those that have served, by worker: the last one of each lives. */
  get workers(): number[] {
    const pids: number[] = [];
    for (const [, worker, pid] of this.#logged.matchAll(/"worker":(\d+),"worker_pid":(\d+),"msg":"a worker serves"/g)) {
      pids[Number(worker)] = Number(pid);
    }
    return pids;
  }

  /** Kills a worker; resolves when another serves in its place. */
  async killWorker(worker: number): Promise<void> {
    const pid = this.workers[worker];
    if (pid === undefined) throw new Error(`there is no worker ${worker}`);
    process.kill(pid, 'SIGKILL');
    await waitFor('another worker takes its place', () => this.workers[worker] !== pid);
  }

  /** What it said that it must not say; it has to run, too. */
  get faults(): string[] {
    const ended = this.isRunning ? [] : [`an evalgate ended by itself: ${this.lastWords}`];
    return this.#errors === '' ? ended : [...ended, `an evalgate reported a fault: ${this.#errors}`];
  }

  /** The end of its log, for whoever has to find out what happened. */
  get lastWords(): string {
    return this.#logged.slice(-LOG_TAIL_CHARS);
  }

  /** Peak of its resident memory, where the system tells. */
  get peakMemoryMb(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.#process?.pid}/status`, 'utf8');
      return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
    } catch {
      return undefined;
    }
  }
}
