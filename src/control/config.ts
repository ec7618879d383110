/**
 * The config file, from bytes to a frozen `Config`: YAML, environment variables, validation. All problems of a file are
 * told at once, each with its key path, what is wanted and what is there; secrets are never shown.
 * Called by `serve` and `dev`; a wrong config throws one OperatorError and changes nothing.
 */
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { OperatorError } from '../base/operator-error.ts';
import { type Environment, fromEnvironment } from './config-environment.ts';
import {
  type Config,
  type ConfigInput,
  configSchema,
  factsAt,
  type KeyPath,
  SECTIONS,
  type SectionName,
  TOP_LEVEL,
} from './config-schema.ts';

export type { Config, ConfigInput } from './config-schema.ts';

const SHOWN_CHARS = 80;

/** The config in a file. Throws an OperatorError that lists every problem. */
export function loadConfig(path: string, environment: Environment): Config {
  const { tree, problems } = parseYaml(readText(path));
  if (problems.length > 0) throw cannotLoad(path, problems);
  return validated(tree, { name: path, environment });
}

/** A config from a value in code, for `dev` and tests; defaults fill what it leaves out. Throws as `loadConfig` does. */
export function configFrom(input: ConfigInput): Config {
  return validated(input, { name: 'built in', environment: {} });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(cause);
    throw new OperatorError('EVALGATE_CONFIG', `Cannot load config "${path}": ${reason}`, { cause });
  }
}

function parseYaml(source: string): { tree: unknown; problems: string[] } {
  const lines = new LineCounter();
  // Pretty errors would quote the line, and with it perhaps a secret.
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  // After the first syntax error the parser guesses; what it says then only confuses.
  const syntax = document.errors.find(({ code }) => code !== 'DUPLICATE_KEY');
  const duplicates = document.errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  const told = [...duplicates, ...(syntax === undefined ? document.warnings : [syntax])];
  const problems = told.map(({ message, pos }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `line ${line}, column ${col} must be YAML: ${withoutQuotes(message)}`;
  });
  if (problems.length > 0) return { tree: undefined, problems };
  try {
    return { tree: document.toJS(), problems };
  } catch (error) {
    return { tree: undefined, problems: [`the file must be YAML: ${(error as Error).message}`] };
  }
}

/** A quoted piece of the file in a parser's message may be a secret. */
function withoutQuotes(message: string): string {
  return message.replace(/:? ".*$/s, '');
}

interface Source {
  readonly name: string;
  readonly environment: Environment;
}

function validated(tree: unknown, { name, environment }: Source): Config {
  const written = withoutEmptySections(tree);
  const { value, unset } = fromEnvironment(written, environment);
  const problems = unset.map(
    ({ path, name }) => `${formatPath(path)} takes $\{${name}} from the environment: it is not set`,
  );
  const result = configSchema.safeParse(value);
  const missing = new Set(unset.map(({ path }) => formatPath(path)));
  const issues = result.error?.issues ?? [];
  for (const issue of issues) {
    if (!missing.has(formatPath(issue.path))) problems.push(...describe(issue, written));
  }
  if (result.data === undefined || problems.length > 0) throw cannotLoad(name, problems);
  return deepFreeze(result.data);
}

/** A section whose keys are all commented out is `null` in YAML; it means the defaults. */
function withoutEmptySections(tree: unknown): unknown {
  if (tree === null || tree === undefined) return {};
  if (typeof tree !== 'object' || Array.isArray(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).filter(([, section]) => section !== null));
}

function cannotLoad(name: string, problems: readonly string[]): OperatorError {
  return new OperatorError('EVALGATE_CONFIG', `Cannot load config "${name}": ${problems.join('; ')}`, { problems });
}

function describe(issue: z.core.$ZodIssue, written: unknown): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(knownKeysAt(issue.path)).join(', ');
    return issue.keys.map((key) => `${formatPath([...issue.path, key])} is not a key here: known are ${known}`);
  }
  const isSection = issue.path.length === 0 || (issue.path.length === 1 && factsAt(issue.path) === undefined);
  if (isSection && issue.code === 'invalid_type') {
    const where = issue.path.length === 0 ? 'the file' : formatPath(issue.path);
    return [`${where} must be a map: ${currentValue(issue.path, written)}`];
  }
  if (issue.code === 'invalid_key') {
    const [parent, key] = [issue.path.slice(0, -1), issue.path.at(-1)];
    return [`${formatPath(parent)} keys ${issue.issues[0]?.message}: current key is ${shown(key)}`];
  }
  return [`${formatPath(issue.path)} ${issue.message}: ${currentValue(issue.path, written)}`];
}

function knownKeysAt(path: KeyPath): Readonly<Record<string, unknown>> {
  const own = factsAt(path)?.keys;
  if (own !== undefined) return Object.fromEntries(own.map((key) => [key, key]));
  return path.length === 0 ? { ...SECTIONS, ...TOP_LEVEL } : SECTIONS[path[0] as SectionName].shape;
}

/** As written in the file: what a `${NAME}` stands for is not shown. */
function currentValue(path: KeyPath, written: unknown): string {
  const facts = factsAt(path);
  if (facts?.isSecret || facts?.secrets?.includes(String(path.at(-1)))) return 'current value is not shown';
  const value = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], written);
  if (value === undefined) return 'it is not set';
  return `current value is ${shown(value)}`;
}

function shown(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > SHOWN_CHARS ? `${value.slice(0, SHOWN_CHARS)}…` : value);
}

/** `cluster.nodes[1]`, `cluster.nat_map["10.0.0.1:7000"]`. */
export function formatPath(path: KeyPath): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (/^\w+$/.test(String(key))) text += text === '' ? String(key) : `.${String(key)}`;
    else text += `[${JSON.stringify(String(key))}]`;
  }
  return text;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}
