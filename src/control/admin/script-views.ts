/**
 * Scripts as the API tells of them: a sorted list of what the registry holds, and one script with its source and
 * everything that the Lua checks say of it.
 *
 * A list is made from at most MAX_LISTED scripts: to sort more would hold up the data plane for longer than anybody
 * wants to wait. What only a row needs is worked out for the rows that are shown.
 */
import type { Report } from '../../lua/report.ts';
import type { Script } from '../../script/script.ts';
import { type NodeUse, nodeUses } from './node-use.ts';
import type { AdminSource } from './source.ts';
import { milliseconds, type Page } from './views.ts';

export const MAX_LISTED = 10_000;
const MAX_TITLE_CHARS = 80;
/** Where a title is looked for. */
const TITLE_WITHIN_BYTES = 1024;
const MAX_SOURCE_BYTES = 1024 * 1024;
/** What is known of the scripts of one judge: to ask again is to parse again. */
const MAX_EXPLAINED = 64;

type Uses = ReadonlyMap<string, NodeUse>;

type SortKey = (script: Script, source: AdminSource, uses: Uses) => number | string;

/** What a list can be sorted by. */
const SORT_KEYS = {
  calls: ({ usage }) => usage?.calls ?? 0,
  errors: ({ usage }) => usage?.errors ?? 0,
  p50: ({ usage }) => usage?.quantileUs(0.5) ?? -1,
  p99: ({ usage }) => usage?.quantileUs(0.99) ?? -1,
  bytes: ({ body }) => body.length,
  title: (script) => titleOf(script).toLowerCase(),
  sha: ({ sha }) => sha,
  origin: ({ origin }) => origin,
  access: (script, source) => accessOf(source.planning.reportOf(script)),
  finding: (script, source) => source.planning.reportOf(script)?.findings[0]?.rule ?? '',
  nodes: (script, _, uses) => nodesWith(script, uses).length,
} as const satisfies Record<string, SortKey>;

export const SORT_NAMES = Object.keys(SORT_KEYS) as (keyof typeof SORT_KEYS)[];

export interface ScriptsQuery extends Page {
  readonly sort: keyof typeof SORT_KEYS;
  readonly order: 'asc' | 'desc';
  /** Begin of a sha, or part of a title, in any case; empty for all. */
  readonly q: string;
}

/** `total` is all that are held, `matching` those of the first MAX_LISTED that match. */
export function scriptsView(source: AdminSource, { sort, order, q, limit, offset }: ScriptsQuery) {
  const { registry } = source;
  const uses = nodeUses(source);
  const wanted = q.toLowerCase();
  const listed = registry.list(MAX_LISTED);
  const matching = wanted === '' ? listed : listed.filter((script) => matches(script, wanted));
  const keyOf: SortKey = SORT_KEYS[sort];
  const direction = order === 'asc' ? 1 : -1;
  const rows = matching
    .map((script) => ({ script, key: keyOf(script, source, uses) }))
    .sort((a, b) => direction * compare(a.key, b.key) || compare(a.script.sha, b.script.sha))
    .slice(offset, offset + limit)
    .map(({ script }) => rowOf(source, script, uses));
  return { total: registry.count, matching: matching.length, offset, scripts: rows };
}

function compare(a: number | string, b: number | string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Those that write first, those of which nothing is known last. */
function accessOf(report: Report | undefined): number {
  if (report === undefined) return 2;
  return report.isReadOnly ? 1 : 0;
}

/** Addresses of the nodes that are believed to have the script. */
function nodesWith(script: Script, uses: Uses): string[] {
  return [...uses]
    .filter(([, { connections }]) => connections.some((connection) => connection.marks.has(script)))
    .map(([address]) => address);
}

function matches(script: Script, wanted: string): boolean {
  return script.sha.startsWith(wanted) || titleOf(script).toLowerCase().includes(wanted);
}

function rowOf(source: AdminSource, script: Script, uses: Uses) {
  const { usage } = script;
  const report = source.planning.reportOf(script);
  return {
    sha: script.sha,
    title: titleOf(script),
    origin: script.origin,
    bytes: script.body.length,
    calls: usage?.calls ?? 0,
    errors: usage?.errors ?? 0,
    p50Ms: milliseconds(usage?.quantileUs(0.5)),
    p99Ms: milliseconds(usage?.quantileUs(0.99)),
    readOnly: report?.isReadOnly ?? null,
    finding: report?.findings[0] ?? null,
    nodes: nodesWith(script, uses),
  };
}

/** The first line that says something; comment marks are left out. */
export function titleOf({ body }: Script): string {
  const text = body.toString('utf8', 0, TITLE_WITHIN_BYTES);
  const line =
    text
      .split('\n')
      .map((one) => one.replace(/^[\s-]+/, '').trimEnd())
      .find((one) => one !== '') ?? '';
  return line.length > MAX_TITLE_CHARS ? `${line.slice(0, MAX_TITLE_CHARS - 1)}…` : line;
}

/** One script, with its source; remembers what the checks said of the last ones. */
export class ScriptDetails {
  readonly #source: AdminSource;
  readonly #explained = new Map<string, { readonly judge: object | undefined; readonly report: Report }>();

  constructor(source: AdminSource) {
    this.#source = source;
  }

  /** The script with that sha, in any case; undefined when the registry does not hold it. */
  of(sha: string) {
    const script = this.#source.registry.findBySha(sha);
    if (script === undefined) return undefined;
    const { findings, hints, notAnalysed, isReadOnly } = this.#explain(script);
    return {
      ...rowOf(this.#source, script, nodeUses(this.#source)),
      readOnly: isReadOnly,
      findings,
      hints,
      notAnalysed: notAnalysed ?? null,
      source: script.body.toString('utf8', 0, MAX_SOURCE_BYTES),
      isSourceCut: script.body.length > MAX_SOURCE_BYTES,
    };
  }

  #explain(script: Script): Report {
    // Another policy or command table makes another planner.
    const judge = this.#source.planner;
    const known = this.#explained.get(script.sha);
    if (known?.judge === judge) return known.report;
    const report = this.#source.planning.checks.explain(script);
    this.#explained.delete(script.sha);
    this.#explained.set(script.sha, { judge, report });
    const [oldest] = this.#explained.keys();
    if (this.#explained.size > MAX_EXPLAINED && oldest !== undefined) this.#explained.delete(oldest);
    return report;
  }
}
