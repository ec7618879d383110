/** `evalgate serve`: the proxy as the config file says, until a signal tells it to stop. Called by cli.ts. */
import { passwordPaths } from './account-list.ts';
import { type CliIo, EXIT } from './cli-io.ts';
import { parseOptions, UsageError } from './cli-options.ts';
import type { Config } from './config.ts';
import { loadConfig } from './config.ts';
import { ConfigWatch } from './config-watch.ts';
import { createLogger } from './log.ts';
import { ProxyServer } from './proxy.ts';
import { tlsPaths } from './tls-files.ts';

export const SERVE_HELP = `Usage: evalgate serve --config FILE [--check-config]

Runs the proxy. SIGTERM and SIGINT drain (listen.drain_ms) and stop it. SIGHUP reloads the config; so does a change of
the file.

  --config FILE    YAML; config/evalgate.yaml holds every key with its default
  --check-config   only check the file: exit code 0 when it is good, 1 with all that is wrong with it
`;

/** Runs until a stop signal; resolves to the exit code. Throws an OperatorError when it cannot start. */
export async function runServe(argv: readonly string[], io: CliIo): Promise<number> {
  const options = parseOptions(argv, { config: { type: 'string' }, 'check-config': { type: 'boolean' } });
  const { config: file } = options;
  if (file === undefined) throw new UsageError('--config FILE is missing');
  if (options['check-config']) {
    loadConfig(file, io.environment);
    io.out(`${file} is good\n`);
    return EXIT.ok;
  }
  // What happens while it starts is for the proxy too.
  let server: Server | undefined;
  let isReloadOwed = false;
  const reload = () => {
    isReloadOwed = server === undefined;
    void server?.reload();
  };
  const stopped = io.untilStopSignal(reload);
  const watch = new ConfigWatch({ onChange: reload });
  watch.cover([file]);
  const readConfig = () => {
    const config = loadConfig(file, io.environment);
    watch.cover([file, ...tlsPaths(config), ...passwordPaths(config)]);
    return config;
  };
  try {
    const config = readConfig();
    server = config.workers > 1 ? await startWorkers(config, readConfig) : await startAlone(config, readConfig);
    if (isReloadOwed) reload();
    await stopped;
    await server.stop();
  } finally {
    watch.stop();
  }
  return EXIT.ok;
}

type Server = Pick<ProxyServer, 'reload' | 'stop'>;

async function startAlone(config: Config, readConfig: () => Config): Promise<Server> {
  const log = createLogger(config.log);
  const proxy = await ProxyServer.start(config, log, { readConfig });
  log.info({ ...proxy.address, shards: proxy.topology.shards.length }, 'listening');
  return proxy;
}

async function startWorkers(config: Config, readConfig: () => Config): Promise<Server> {
  const { Primary } = await import('./workers/primary.ts');
  const log = createLogger(config.log);
  const primary = await Primary.start(config, log, readConfig);
  log.info({ ...primary.address, shards: primary.shards, workers: config.workers }, 'listening');
  return primary;
}
