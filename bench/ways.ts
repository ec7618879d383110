/**
 * The ways to the node that are compared: straight to it, through evalgate, and through HAProxy in TCP mode (where it is
 * installed), which is the price of any hop. Proxies run as processes of their own; unless it says otherwise, one thread works.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import type { LocalCluster, LocalNode } from '../src/control/local-cluster.ts';
import { findFreePorts } from '../src/control/ports.ts';

const MAIN = join(import.meta.dirname, '../src/main.js');

export interface Way {
  readonly name: string;
  readonly port: number;
  /** The proxy process; undefined on the direct way. */
  readonly process: ChildProcess | undefined;
}

export interface WaysOptions {
  /** A further evalgate without the Lua checks, to see what they cost. */
  readonly withChecksOff: boolean;
  /** More than 1: a further evalgate with so many workers. */
  readonly workers: number;
}

/** Starts every way to the node; files go to the node's folder, which the cluster removes. */
export async function openWays(cluster: LocalCluster, node: LocalNode, options: WaysOptions): Promise<Way[]> {
  const ways: Way[] = [{ name: 'no proxy', port: node.port, process: undefined }];
  ways.push(await startEvalgate('evalgate', { cluster, node, scripting: {} }));
  if (options.withChecksOff) {
    ways.push(await startEvalgate('checks off', { cluster, node, scripting: { script_check_enable: 0 } }));
  }
  if (options.workers > 1) {
    const { workers } = options;
    ways.push(await startEvalgate(`${workers} workers`, { cluster, node, scripting: {}, workers }));
  }
  if (hasHaproxy()) ways.push(await startHaproxy(node));
  return ways;
}

export async function closeWays(ways: readonly Way[]): Promise<void> {
  for (const { process: child } of ways) {
    if (child === undefined || child.exitCode !== null) continue;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  }
}

/** Runs `work` with a connection on this way. */
export async function withClient<T>(way: Way, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ port: way.port, protocol: 2, enableReadyCheck: false, disableClientInfo: true });
  client.on('error', () => {});
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

interface Setting {
  readonly cluster: LocalCluster;
  readonly node: LocalNode;
  readonly scripting: object;
  readonly workers?: number;
}

async function startEvalgate(name: string, { cluster, node, scripting, workers = 1 }: Setting): Promise<Way> {
  const file = join(node.folder, `${name}.yaml`);
  writeFileSync(file, JSON.stringify({ listen: { port: 0 }, cluster: { nodes: cluster.seeds }, scripting, workers }));
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`evalgate ended with exit code ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, port: listening } = JSON.parse(line) as { msg?: string; port?: number };
      if (msg === 'listening' && listening !== undefined) resolve(listening);
    });
  });
  return { name, port, process: child };
}

function hasHaproxy(): boolean {
  return spawnSync('haproxy', ['-v'], { stdio: 'ignore' }).status === 0;
}

async function startHaproxy(node: LocalNode): Promise<Way> {
  const [port] = await findFreePorts(1);
  if (port === undefined) throw new Error('no free port found for HAProxy');
  const file = join(node.folder, 'haproxy.cfg');
  const lines = [
    'global',
    '  nbthread 1',
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 60s',
    '  timeout server 60s',
    'listen redis',
    `  bind 127.0.0.1:${port}`,
    `  server node ${node.address}`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const way = { name: 'HAProxy', port, process: spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' }) };
  // The client tries again until HAProxy listens.
  await withClient(way, (client) => client.ping());
  return way;
}
