#!/usr/bin/env node
/**
 * The `evalgate` program: hands the process's arguments, streams and signals to the command line (control/cli.ts) and
 * ends with its exit code.
 */
import { setFlagsFromString } from 'node:v8';
import { runCli } from './control/cli.ts';
import type { CliIo } from './control/cli-io.ts';

// What a request leaves behind dies within a turn: a young generation that stays at 1 MB fits the cache and costs a
// third less memory under load than one that grows to 16 MB (measured: 106 against 157 MB after the EVAL workloads).
setFlagsFromString('--semi-space-growth-factor=1');

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
