/** `evalgate serve`: the proxy as the config file says, until a signal tells it to stop. Called by cli.ts. */
import { type CliIo, EXIT } from './cli-io.ts';
import { parseOptions, UsageError } from './cli-options.ts';
import { loadConfig } from './config.ts';
import { createLogger } from './log.ts';
import { ProxyServer } from './proxy.ts';

export const SERVE_HELP = `Usage: evalgate serve --config FILE [--check-config]

Runs the proxy. SIGTERM and SIGINT drain (listen.drain_ms) and stop it.

  --config FILE    YAML; config/evalgate.yaml holds every key with its default
  --check-config   only check the file: exit code 0 when it is good, 1 with all that is wrong with it
`;

/** Runs until a stop signal; resolves to the exit code. Throws an OperatorError when it cannot start. */
export async function runServe(argv: readonly string[], io: CliIo): Promise<number> {
  const options = parseOptions(argv, { config: { type: 'string' }, 'check-config': { type: 'boolean' } });
  if (options.config === undefined) throw new UsageError('--config FILE is missing');
  const config = loadConfig(options.config, io.environment);
  if (options['check-config']) {
    io.out(`${options.config} is good\n`);
    return EXIT.ok;
  }
  const proxy = await ProxyServer.start(config, createLogger(config.log));
  await io.untilStopSignal();
  await proxy.stop();
  return EXIT.ok;
}
