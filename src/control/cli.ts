/**
 * The command line: finds the command, and turns what it throws into one line on stderr and an exit code.
 * 0 good, 1 it could not be done, 2 the command line was wrong. A command's code is loaded when it is called, so that
 * `--version` answers without opening half the house.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../base/operator-error.ts';
import { type CliIo, EXIT } from './cli-io.ts';
import { UsageError } from './cli-options.ts';

interface CliCommand {
  readonly help: string;
  readonly run: (argv: readonly string[], io: CliIo) => Promise<number>;
}

const COMMANDS: Readonly<Record<string, () => Promise<CliCommand>>> = {
  serve: async () => {
    const { runServe, SERVE_HELP } = await import('./serve-command.ts');
    return { help: SERVE_HELP, run: runServe };
  },
  dev: async () => {
    const { runDev, DEV_HELP } = await import('./dev-command.ts');
    return { help: DEV_HELP, run: runDev };
  },
  check: async () => {
    const { runCheck, CHECK_HELP } = await import('./check-command.ts');
    return { help: CHECK_HELP, run: runCheck };
  },
  top: async () => {
    const { runTop, TOP_HELP } = await import('./top-command.ts');
    return { help: TOP_HELP, run: runTop };
  },
};

const HELP = `evalgate: a cluster-aware scripting proxy for Redis and Valkey Cluster

Usage:
  evalgate serve --config FILE [--check-config]               run the proxy
  evalgate dev [--port 6380] [--masters 3] [--replicas 1]     try it: a local cluster with the proxy in front
  evalgate check [--profile P] [--format F] PATH…             apply the Lua checks to files and folders
  evalgate top [--url URL] [--token-file FILE] [--once]       watch a running evalgate by its admin port
  evalgate --version
  evalgate --help, evalgate COMMAND --help
`;

/** Runs the command in the arguments (without node and script); resolves to the exit code and never rejects. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return report(error, argv, io);
  }
}

async function dispatch([word, ...rest]: readonly string[], io: CliIo): Promise<number> {
  if (word === '--version') io.out(`${version()}\n`);
  else if (word === '--help' || word === '-h') io.out(HELP);
  else return await runCommand(word, rest, io);
  return EXIT.ok;
}

async function runCommand(word: string | undefined, argv: readonly string[], io: CliIo): Promise<number> {
  if (word === undefined) throw new UsageError('a command is missing');
  const load = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
  if (load === undefined) throw new UsageError(`"${word}" is not a command`);
  const command = await load();
  if (!argv.includes('--help') && !argv.includes('-h')) return await command.run(argv, io);
  io.out(command.help);
  return EXIT.ok;
}

function report(error: unknown, [word]: readonly string[], io: CliIo): number {
  if (error instanceof UsageError) {
    const subject = word !== undefined && Object.hasOwn(COMMANDS, word) ? `evalgate ${word}` : 'evalgate';
    io.err(`${subject}: ${error.message}; see ${subject} --help\n`);
    return EXIT.usage;
  }
  if (error instanceof OperatorError) io.err(`${error.message}\n`);
  // Not foreseen, so a defect: here the stack helps.
  else io.err(`evalgate: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failure;
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
  return (manifest as { version: string }).version;
}
