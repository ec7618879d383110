/**
 * The server binary that a LocalCluster runs: which one is on PATH, and what its version wants to read in a nodes.conf.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { OperatorError } from '../base/operator-error.ts';

const SERVERS = ['redis-server', 'valkey-server'];

export interface LocalServer {
  readonly path: string;
  /** The first two numbers of `Redis server v=7.0.15 …`, `Valkey server v=8.0.1 …` or (Valkey 7.2) `Server v=7.2.7 …`. */
  readonly version: number;
  readonly isValkey: boolean;
  /**
   * Its nodes.conf holds shard ids (from 7.2 on). An older server takes one for a host name; a newer one that reads
   * none has its masters in no shard, and dies of its first SPUBLISH (`auxShardIdPresent` in cluster_legacy.c).
   */
  readonly hasShardIds: boolean;
}

/** Path of the first redis-server or valkey-server on PATH. Throws an OperatorError that says how to get one. */
export function findServer(): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    for (const server of SERVERS.map((name) => join(folder, name))) {
      if (isExecutable(server)) return server;
    }
  }
  throw new OperatorError(
    'EVALGATE_NO_SERVER_BINARY',
    'Cannot start a local cluster: neither redis-server nor valkey-server is on PATH: install one, for example "apt-get install redis-server" or "brew install redis"',
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Asks the binary for its version; one that does not say is treated as the oldest. */
export async function inspectServer(path: string): Promise<LocalServer> {
  const { stdout } = await promisify(execFile)(path, ['--version']).catch(() => ({ stdout: '' }));
  const [, name, major, minor] = /^(?:(\w+) )?server v=(\d+)\.(\d+)/i.exec(stdout) ?? [];
  const version = Number(major ?? 0) + Number(minor ?? 0) / 10;
  return { path, version, isValkey: stdout !== '' && name !== 'Redis', hasShardIds: version >= 7.2 };
}
