/**
 * `scripting.preload`: scripts that are known and loaded before the first client comes. Called at start, when the
 * topology is known and before the proxy listens, and by a reload, where what is registered already is left alone.
 *
 *     paths ─▶ files ─▶ Lua checks ─▶ every node that answers: SCRIPT LOAD ─▶ registry, as of LOAD origin
 *                        └ refused ────────────────┴ does not compile ────────▶ OperatorError: no start, no reload
 *
 * A node that does not answer now gets the body at first use (C5). Bytes are not touched: a blank more makes another sha.
 */
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { OperatorError } from '../base/operator-error.ts';
import type { Node, Topology } from '../cluster/topology.ts';
import type { ScriptChecks } from '../plan/script-checks.ts';
import type { ScriptRegistry } from '../script/registry.ts';
import { type Sha, shaOf } from '../script/sha.ts';
import type { Change } from './config-diff.ts';
import type { ControlClients } from './control-clients.ts';
import { luaFilesAt } from './lua-files.ts';
import { isReply } from './topology-source.ts';

export interface PreloadOptions {
  /** Files, folders and globs. */
  readonly paths: readonly string[];
  readonly checks: ScriptChecks;
  readonly registry: ScriptRegistry;
  readonly topology: Topology;
  readonly clients: ControlClients;
  readonly log: Logger;
}

export interface PreloadFile {
  readonly path: string;
  readonly body: Buffer;
  readonly sha: Sha;
}

/** All files, loaded and registered. Throws an OperatorError that names every file that is refused, with line, column and rule. */
export async function preload(options: PreloadOptions): Promise<void> {
  if (options.paths.length === 0) return;
  const files = readAll(options.paths);
  await loadOnNodes(files, options);
  registerPreloaded(files, options);
}

/** For a reload: the files that are not registered yet, checked and loaded on the nodes. Throws as `preload` does. */
export async function preloadNew(options: PreloadOptions): Promise<readonly PreloadFile[]> {
  const files = readAll(options.paths).filter(({ sha }) => options.registry.findBySha(sha)?.origin !== 'load');
  await loadOnNodes(files, options);
  return files;
}

/** A file that a reload loads, for the log. */
export function changeOf({ path, sha }: PreloadFile): Change {
  return { key: `scripting.preload ${path}`, from: 'not loaded', to: sha };
}

/** Takes the files into the registry. Throws an OperatorError at the first that does not fit. */
export function registerPreloaded(files: readonly PreloadFile[], { registry }: Pick<PreloadOptions, 'registry'>): void {
  for (const { path, body } of files) {
    if (registry.load(body) === undefined) throw doesNotFit(path);
  }
}

/** Throws an OperatorError when the registry, with so many bytes, cannot hold the files beside what was loaded. */
export function assertRoomFor(files: readonly PreloadFile[], registry: ScriptRegistry, maxBytes: number): void {
  const [first] = files;
  const bodies = files.map(({ body }) => body.length);
  if (first !== undefined && !registry.wouldHold(bodies, maxBytes)) throw doesNotFit(first.path);
}

async function loadOnNodes(files: readonly PreloadFile[], options: PreloadOptions): Promise<void> {
  const refused = files.flatMap((file) => refusalsOf(file, options.checks));
  if (refused.length > 0) throw cannotPreload(refused);
  const nodes = [...options.topology.nodes.values()];
  const unreachable = new Set<Node>();
  for (const file of files) {
    const answers = nodes.filter((node) => !unreachable.has(node));
    const loaded = await Promise.all(answers.map((node) => loadOn(node, file, options.clients)));
    answers.forEach((node, i) => {
      if (loaded[i] === 'no answer') unreachable.add(node);
    });
    const { path, sha } = file;
    const count = loaded.filter((result) => result === 'loaded').length;
    options.log.info({ file: path, sha, nodes: count }, 'script preloaded');
  }
  if (unreachable.size === 0) return;
  options.log.warn(
    { nodes: [...unreachable].map(({ address }) => address) },
    'nodes without the preloaded scripts: they get them at first use',
  );
}

/** Each file once, also when several paths name it. */
function readAll(paths: readonly string[]): PreloadFile[] {
  const files = new Set(paths.flatMap(luaFilesAt));
  return [...files].map((path) => {
    try {
      const body = readFileSync(path);
      return { path, body, sha: shaOf(body) };
    } catch (cause) {
      throw new OperatorError('EVALGATE_PRELOAD', `Cannot preload "${path}": ${String(cause)}`, { cause });
    }
  });
}

/** What refuses the file, as `evalgate check` would show it. */
function refusalsOf({ path, body }: PreloadFile, checks: ScriptChecks): string[] {
  const checked = checks.ofBody(body);
  // Counts and logs it as well, and says nothing when refusals are only observed.
  if (checked === undefined || checks.refusalOf(checked, false) === undefined) return [];
  return checked.report.findings.map(
    ({ line, column, rule, text }) => `${path}:${line}:${column}: ${rule}: ${text.trimEnd()}`,
  );
}

/** Throws an OperatorError when the node does not compile it; its other refusals (NOPERM, LOADING, OOM) only cost time. */
async function loadOn(
  node: Node,
  { path, body }: PreloadFile,
  clients: ControlClients,
): Promise<'loaded' | 'refused' | 'no answer'> {
  try {
    await clients.call(node, 'SCRIPT', 'LOAD', body);
    return 'loaded';
  } catch (error) {
    if (!isReply(error)) return 'no answer';
    const text = (error as Error).message;
    if (!text.startsWith('ERR Error compiling script')) return 'refused';
    const line = /user_script:(\d+):/.exec(text)?.[1] ?? '1';
    throw cannotPreload([`${path}:${line}:1: does not compile: ${text}`]);
  }
}

function doesNotFit(path: string): OperatorError {
  return cannotPreload([`${path}: script registry is full (scripting.registry_max_bytes)`]);
}

function cannotPreload(problems: readonly string[]): OperatorError {
  return new OperatorError('EVALGATE_PRELOAD', `Cannot preload scripts: ${problems.join('; ')}`, { problems });
}
