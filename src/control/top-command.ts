/**
 * `evalgate top`: what a running evalgate does, live in the terminal, from its admin port. Called by cli.ts. Looks every
 * INTERVAL_MS and draws what changed since; `--once` looks twice and prints one table.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { OperatorError } from '../base/operator-error.ts';
import { AdminClient } from './admin-client.ts';
import { type CliIo, EXIT } from './cli-io.ts';
import { parseOptions, UsageError } from './cli-options.ts';
import { type Look, type Screen, type TopScript, type TopStatus, topLines } from './top-screen.ts';

export const TOP_HELP = `Usage: evalgate top [--url http://127.0.0.1:6381] [--token-file FILE] [--once]

Shows requests, latencies and scripts of a running evalgate, from its admin port (admin.port), every second.

  --url URL          of the admin port
  --token-file FILE  holds admin.token; without it EVALGATE_ADMIN_TOKEN of the environment is used, if set
  --once             print one table of the last second and end
`;

const INTERVAL_MS = 1000;
/** Scripts beyond these, by calls, are not looked at. */
const MAX_SCRIPTS = 1000;
const SCREEN: Screen = { columns: 80, rows: 24 };

const CLEAR = '\x1b[H\x1b[2J';

/** Runs until a stop signal, or prints once; resolves to the exit code. Throws an OperatorError when nobody answers. */
export async function runTop(argv: readonly string[], io: CliIo): Promise<number> {
  const options = parseOptions(argv, {
    url: { type: 'string', default: 'http://127.0.0.1:6381' },
    'token-file': { type: 'string' },
    once: { type: 'boolean', default: false },
  });
  const client = new AdminClient(urlOf(options.url), tokenOf(options['token-file'], io));
  const first = await look(client);
  if (!options.once) return await watch(client, first, io);
  await pause(INTERVAL_MS);
  io.out(textOf(first, await look(client), { ...screen(), rows: SCREEN.rows }));
  return EXIT.ok;
}

/** Draws until a stop signal; while evalgate is away it says so and goes on asking. */
async function watch(client: AdminClient, first: Look, io: CliIo): Promise<number> {
  const stopped = new AbortController();
  void io.untilStopSignal().then(() => stopped.abort());
  let before = first;
  while (await pausedUnless(stopped.signal)) {
    try {
      const now = await look(client);
      io.out(CLEAR + textOf(before, now, screen()));
      before = now;
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      io.out(`${CLEAR}${error.message}\n`);
    }
  }
  return EXIT.ok;
}

/** Waits until the next look is due; false when the signal came first. */
async function pausedUnless(signal: AbortSignal): Promise<boolean> {
  return await pause(INTERVAL_MS, true, { signal }).catch(() => false);
}

function textOf(before: Look, now: Look, size: Screen): string {
  return `${topLines(before, now, size).join('\n')}\n`;
}

async function look(client: AdminClient): Promise<Look> {
  const [status, list] = await Promise.all([
    client.get('/api/status'),
    client.get(`/api/scripts?sort=calls&limit=${MAX_SCRIPTS}`),
  ]);
  const { scripts } = list as { scripts: TopScript[] };
  return { atMs: performance.now(), status: status as TopStatus, scripts };
}

/** The terminal as it is now: it may have changed its size. Into a file or a pipe, 80 columns. */
function screen(): Screen {
  const { columns = SCREEN.columns, rows = SCREEN.rows } = process.stdout;
  return { columns, rows };
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new UsageError(`--url must be http://host:port: current value is "${text}"`);
}

function tokenOf(file: string | undefined, io: CliIo): string | undefined {
  const token = file === undefined ? io.environment['EVALGATE_ADMIN_TOKEN'] : readToken(file).trim();
  if (token === undefined || token === '') return undefined;
  if (/^[\x20-\x7e]+$/.test(token)) return token;
  const source = file === undefined ? 'EVALGATE_ADMIN_TOKEN' : `token file "${file}"`;
  throw new OperatorError('EVALGATE_ADMIN', `Cannot use ${source}: it must be one line of printable characters`);
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause);
    throw new OperatorError('EVALGATE_ADMIN', `Cannot read token file "${file}": ${reason}`, { cause });
  }
}
