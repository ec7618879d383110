/**
 * What changed between two configs, key by key, in words for the log; secrets are masked. Called by a reload
 * (reload.ts), and for showing a config (`masked`).
 */
import { formatPath } from './config.ts';
import { type Config, factsAt, type KeyPath } from './config-schema.ts';

/** A changed key, or a file that a key names. */
export interface Change {
  /** `cluster.nodes`, `scripting.store.type`. */
  readonly key: string;
  /** The values as texts, secrets masked; `none` where there is no value. */
  readonly from: string;
  readonly to: string;
}

export interface KeyChange extends Change {
  /** A reload cannot change it. */
  readonly needsRestart: boolean;
}

export const MASK = '***';

const SHOWN_CHARS = 200;
/** Below keys without facts of their own. */
const SECRET_NAMES = ['password', 'token'];

/** Every key whose value differs, in the order of the reference page. */
export function diffConfigs(from: Config, to: Config): KeyChange[] {
  return diff([], from, to);
}

/** The value with every secret in it replaced by `***`; of a whole config unless a path says where it stands. */
export function masked(value: unknown, path: KeyPath = []): unknown {
  if (value === undefined) return undefined;
  if (isSecret(path)) return MASK;
  if (Array.isArray(value)) return value.map((item, index) => masked(item, [...path, index]));
  if (!isMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, [...path, key])]));
}

function diff(path: KeyPath, from: unknown, to: unknown): KeyChange[] {
  if (isMap(from) && isMap(to)) {
    const keys = new Set([...Object.keys(from), ...Object.keys(to)]);
    return [...keys].flatMap((key) => diff([...path, key], from[key], to[key]));
  }
  if (JSON.stringify(from) === JSON.stringify(to)) return [];
  const needsRestart = factsAt(path)?.needsRestart === true;
  return [{ key: formatPath(path), from: textOf(from, path), to: textOf(to, path), needsRestart }];
}

function isSecret(path: KeyPath): boolean {
  return factsAt(path)?.isSecret === true || SECRET_NAMES.includes(String(path.at(-1)));
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown, path: KeyPath): string {
  const shown = masked(value, path);
  if (shown === undefined) return 'none';
  const text = typeof shown === 'string' ? shown : JSON.stringify(shown);
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
