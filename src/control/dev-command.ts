/**
 * `evalgate dev`: a real cluster on this machine and the proxy in front of it, to try things out. Called by cli.ts.
 * Until all is up, a signal ends the process and LocalCluster's cleaner leaves nothing behind; after that it ends in
 * good order.
 */
import { constants } from 'node:os';
import { type CliIo, EXIT } from './cli-io.ts';
import { parseOptions, wholeNumber } from './cli-options.ts';
import { configFrom } from './config.ts';
import { LocalCluster } from './local-cluster.ts';
import { createLogger } from './log.ts';
import { ProxyServer } from './proxy.ts';

export const DEV_HELP = `Usage: evalgate dev [--port 6380] [--masters 3] [--replicas 1]

Starts a Redis (or Valkey) Cluster in a temp folder, on free ports, and evalgate in front of it.
Ctrl-C stops everything and leaves nothing behind.

  --port N       port of evalgate; 0 picks a free one
  --masters N    1 to 16
  --replicas N   of each master, 0 to 4
`;

/** A failover is over before `cluster.failover_wait_ms` is. */
const NODE_TIMEOUT_MS = 2000;

/** Runs until a stop signal; resolves to the exit code. Throws an OperatorError when it cannot start. */
export async function runDev(argv: readonly string[], io: CliIo): Promise<number> {
  const options = parseOptions(argv, {
    port: { type: 'string', default: '6380' },
    masters: { type: 'string', default: '3' },
    replicas: { type: 'string', default: '1' },
  });
  const port = wholeNumber('port', options.port, [0, 65535]);
  const masters = wholeNumber('masters', options.masters, [1, 16]);
  const replicas = wholeNumber('replicas', options.replicas, [0, 4]);
  io.out(`Starting a cluster of ${plural(masters, 'master')} and ${plural(masters * replicas, 'replica')} …\n`);
  const stopEnding = endOnSignal();
  const cluster = await LocalCluster.start({ masters, replicas, nodeTimeoutMs: NODE_TIMEOUT_MS });
  try {
    const config = configFrom({
      listen: { port },
      cluster: { nodes: cluster.seeds },
      log: { level: 'warn', format: 'pretty' },
    });
    const proxy = await ProxyServer.start(config, createLogger(config.log));
    stopEnding();
    io.out(greeting(proxy.address, cluster));
    await io.untilStopSignal();
    await proxy.stop();
  } finally {
    await cluster.stop();
  }
  return EXIT.ok;
}

/**
 * A stop signal ends the process, but not in the middle of a step: a server that was spawned has its pid written down,
 * by which the cleaner finds it. Gives what ends this.
 */
function endOnSignal(): () => void {
  const end = (signal: NodeJS.Signals) => process.exit(128 + constants.signals[signal]);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  return () => {
    for (const signal of signals) process.off(signal, end);
  };
}

function greeting({ host, port }: { readonly host: string; readonly port: number }, cluster: LocalCluster): string {
  return [
    `evalgate listens on ${host}:${port}, in front of ${cluster.seeds.join(' ')}`,
    '',
    'Try:',
    `  redis-cli -p ${port} SET greeting hello`,
    `  redis-cli -p ${port} EVAL "return redis.call('GET', KEYS[1])" 1 greeting`,
    '',
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
