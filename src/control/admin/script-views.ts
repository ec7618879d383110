/**
 * Scripts as the API tells of them: a sorted list, and one script with its source, put together from the facts of every
 * process that holds them.
 */
import { coarseStartUs, quantileUs } from '../../base/latency.ts';
import { milliseconds } from './rounding.ts';
import type { ScriptDetail, ScriptFacts, ScriptsFacts } from './script-facts.ts';
import type { Page } from './state-facts.ts';

/** A list is made from so many scripts, of all processes together. */
export const MAX_LISTED = 10_000;

/** What a list can be sorted by. */
const SORT_KEYS = {
  calls: ({ calls }) => calls,
  errors: ({ errors }) => errors,
  p50: (script) => latencyUs(script, 0.5) ?? -1,
  p99: (script) => latencyUs(script, 0.99) ?? -1,
  bytes: ({ bytes }) => bytes,
  title: ({ title }) => title.toLowerCase(),
  sha: ({ sha }) => sha,
  origin: ({ origin }) => origin,
  // Those that write first, those of which nothing is known last.
  access: ({ readOnly }) => (readOnly === null ? 2 : Number(readOnly)),
  finding: ({ finding }) => finding?.rule ?? '',
  nodes: ({ nodes }) => nodes.length,
} as const satisfies Record<string, (script: ScriptFacts) => number | string>;

export const SORT_NAMES = Object.keys(SORT_KEYS) as (keyof typeof SORT_KEYS)[];

export interface ScriptsOrder extends Page {
  readonly sort: keyof typeof SORT_KEYS;
  readonly order: 'asc' | 'desc';
}

/** `total` is all that are held, `matching` those of the first MAX_LISTED that match. */
export function scriptsView(all: readonly ScriptsFacts[], { sort, order, limit, offset }: ScriptsOrder) {
  const matching = together(all.map(({ scripts }) => scripts));
  const keyOf: (script: ScriptFacts) => number | string = SORT_KEYS[sort];
  const direction = order === 'asc' ? 1 : -1;
  const rows = matching
    .map((script) => ({ script, key: keyOf(script) }))
    .sort((a, b) => direction * compare(a.key, b.key) || compare(a.script.sha, b.script.sha))
    .slice(offset, offset + limit)
    .map(({ script }) => rowOf(script));
  const total = Math.max(matching.length, ...all.map((facts) => facts.total));
  return { total, matching: matching.length, offset, scripts: rows };
}

/** Undefined when no process holds it. */
export function scriptView(all: readonly (ScriptDetail | undefined)[]) {
  const [first, ...others] = all.flatMap((detail) => detail ?? []);
  if (first === undefined) return undefined;
  const { findings, hints, notAnalysed, source, isSourceCut, readOnly } = first;
  const row = rowOf(others.reduce<ScriptFacts>(both, first));
  return { ...row, readOnly, findings, hints, notAnalysed, source, isSourceCut };
}

/** Each script once. */
function together(lists: readonly (readonly ScriptFacts[])[]): readonly ScriptFacts[] {
  const [only] = lists;
  if (only !== undefined && lists.length === 1) return only;
  const bySha = new Map<string, ScriptFacts>();
  for (const script of lists.flat()) {
    const known = bySha.get(script.sha);
    bySha.set(script.sha, known === undefined ? script : both(known, script));
  }
  return [...bySha.values()];
}

/** What two processes tell of one script. */
function both(a: ScriptFacts, b: ScriptFacts): ScriptFacts {
  return {
    ...a,
    origin: a.origin === 'load' ? a.origin : b.origin,
    calls: a.calls + b.calls,
    errors: a.errors + b.errors,
    latency: a.latency.map((count, i) => count + (b.latency[i] ?? 0)),
    readOnly: a.readOnly ?? b.readOnly,
    finding: a.finding ?? b.finding,
    nodes: [...new Set([...a.nodes, ...b.nodes])],
  };
}

function compare(a: number | string, b: number | string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function rowOf({ latency, ...script }: ScriptFacts) {
  return {
    sha: script.sha,
    title: script.title,
    origin: script.origin,
    bytes: script.bytes,
    calls: script.calls,
    errors: script.errors,
    p50Ms: milliseconds(quantileUs(latency, coarseStartUs, 0.5)),
    p99Ms: milliseconds(quantileUs(latency, coarseStartUs, 0.99)),
    readOnly: script.readOnly,
    finding: script.finding,
    nodes: script.nodes,
  };
}

function latencyUs({ latency }: ScriptFacts, quantile: number): number | undefined {
  return quantileUs(latency, coarseStartUs, quantile);
}
