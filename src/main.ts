#!/usr/bin/env node
import { runCli } from './control/cli.ts';
/**
 * The `evalgate` program: hands the process's arguments, streams and signals to the command line (control/cli.ts) and
 * ends with its exit code.
 */
import type { CliIo } from './control/cli-io.ts';

const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const io: CliIo = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  environment: process.env,
  // Further signals change nothing: npm passes on the Ctrl-C that the terminal has sent us already.
  untilStopSignal: () =>
    new Promise((resolve) => {
      for (const signal of STOP_SIGNALS) process.on(signal, () => resolve());
    }),
};

process.exitCode = await runCli(process.argv.slice(2), io);
