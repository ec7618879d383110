/**
 * `evalgate check`: the Lua checks as a linter, without a cluster. Called by cli.ts. Commands are those of the shipped
 * table. Only errors, which the proxy would refuse, make it end with 1; what it cannot read ends it with 2.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { OperatorError } from '../base/operator-error.ts';
import { SHIPPED_TABLE } from '../command/table.ts';
import { check } from '../lua/check.ts';
import type { Finding } from '../lua/report.ts';
import type { CheckPolicy } from '../lua/rule.ts';
import { type CheckedFile, FORMATS, type Format, isFormat, summaryOf } from './check-formats.ts';
import { type CliIo, EXIT } from './cli-io.ts';
import { UsageError } from './cli-options.ts';
import { configFrom, loadConfig } from './config.ts';

export const CHECK_HELP = `Usage: evalgate check [--config FILE] [--profile P] [--format text|json|github] PATH…

Applies the Lua checks to files, to all *.lua in folders, and to stdin (-).
Exit code: 0 nothing is refused, 1 something is, 2 wrong usage or an unreadable file.

  --config FILE   takes script_check_profile, _unpack, _alias, _exempt and _max_bytes from a config of evalgate
  --profile P     tair, tair_legacy or safe
  --format F      text, json, or github for annotations in a workflow
`;

/** What the command needs of the world. */
export interface CheckIo extends Pick<CliIo, 'out' | 'err' | 'environment'> {
  /** Read for the path `-`; the process's own where it is left out. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/** Resolves to the exit code. Throws a UsageError for a wrong command line. */
export async function runCheck(argv: readonly string[], io: CheckIo): Promise<number> {
  const { paths, format, ...options } = parse(argv);
  try {
    const settings = settingsFrom(options, io);
    const files: CheckedFile[] = [];
    for (const { path, body } of await bodiesAt(paths, io)) files.push(checkFile(path, body, settings));
    io.out(FORMATS[format](files));
    return summaryOf(files).errors > 0 ? EXIT.failure : EXIT.ok;
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    io.err(`${error.message}\n`);
    return EXIT.usage;
  }
}

interface Options {
  readonly config: string | undefined;
  readonly profile: string | undefined;
}

function parse(argv: readonly string[]): Options & { readonly paths: readonly string[]; readonly format: Format } {
  const { values, positionals } = parsedArgs(argv);
  if (positionals.length === 0) throw new UsageError('a file or folder is missing');
  const { config, profile, format } = values;
  if (profile !== undefined && !isProfile(profile)) {
    throw new UsageError(`--profile must be tair, tair_legacy or safe: current value is "${profile}"`);
  }
  if (!isFormat(format)) throw new UsageError(`--format must be text, json or github: current value is "${format}"`);
  return { config, profile, format, paths: positionals };
}

function parsedArgs(argv: readonly string[]) {
  const options = {
    config: { type: 'string' },
    profile: { type: 'string' },
    format: { type: 'string', default: 'text' },
  } as const;
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0] ?? 'wrong options');
  }
}

function isProfile(word: string): word is CheckPolicy['profile'] {
  return word === 'tair' || word === 'tair_legacy' || word === 'safe';
}

interface Settings {
  readonly policy: CheckPolicy;
  readonly exempt: ReadonlySet<string>;
}

/** The config's switches, or their defaults; the command line's profile counts before the config's. */
function settingsFrom({ config, profile }: Options, { environment }: CheckIo): Settings {
  const defaults = () => configFrom({ cluster: { nodes: ['127.0.0.1:6379'] } });
  const { scripting } = config === undefined ? defaults() : loadConfig(config, environment);
  const policy: CheckPolicy = {
    profile: profile !== undefined && isProfile(profile) ? profile : scripting.script_check_profile,
    unpack: scripting.script_check_unpack,
    alias: scripting.script_check_alias,
    maxBytes: scripting.script_check_max_bytes,
  };
  return { policy, exempt: new Set(scripting.script_check_exempt) };
}

interface Body {
  readonly path: string;
  readonly body: Buffer;
}

/** All of them are read before any is checked, so that a wrong path says so at once. */
async function bodiesAt(paths: readonly string[], io: CheckIo): Promise<Body[]> {
  const bodies: Body[] = [];
  for (const path of paths) {
    if (path === '-') bodies.push({ path, body: await readAll(io.stdin ?? process.stdin) });
    else for (const file of filesAt(path)) bodies.push({ path: file, body: readable(file, (at) => readFileSync(at)) });
  }
  return bodies;
}

/** The file itself, or the *.lua in and below a folder, sorted. */
function filesAt(path: string): string[] {
  if (!readable(path, (at) => statSync(at)).isDirectory()) return [path];
  const names = readable(path, (folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }));
  const files = names.filter((name) => name.endsWith('.lua')).map((name) => join(path, name));
  return files.filter((file) => readable(file, (at) => statSync(at)).isFile()).sort();
}

function readable<T>(path: string, read: (path: string) => T): T {
  try {
    return read(path);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause);
    throw new OperatorError('EVALGATE_CONFIG', `Cannot read "${path}": ${reason}`, { cause });
  }
}

async function readAll(stdin: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function checkFile(path: string, body: Buffer, { policy, exempt }: Settings): CheckedFile {
  const sha = createHash('sha1').update(body).digest('hex');
  if (exempt.has(sha)) return { path, sha, findings: [] };
  const { findings, hints, notAnalysed } = check(body, policy, SHIPPED_TABLE);
  const all = [...findings, ...hints].sort((a, b) => a.line - b.line || a.column - b.column);
  return { path, sha, findings: notAnalysed === undefined ? all : [...all, unanalysed(notAnalysed)] };
}

/** The proxy forwards such a script as it is. */
function unanalysed(reason: string): Finding {
  return {
    rule: 'not-analysed',
    severity: 'warning',
    text: `not analysed: ${reason}`,
    line: 1,
    column: 1,
    sourceLine: '',
    advice: 'the proxy forwards it as it is; the server compiles it and judges',
  };
}
