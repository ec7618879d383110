/**
 * Facts of the scripts that this process holds: one of each for the list, and one script with its source and everything
 * that the Lua checks say of it.
 *
 * A list is made from a bounded number of scripts: to go through more would hold up the data plane for longer than
 * anybody wants to wait.
 */
import { COARSE_BUCKETS } from '../../base/latency.ts';
import type { Finding, Report } from '../../lua/report.ts';
import type { Origin, Script } from '../../script/script.ts';
import { type NodeUse, nodeUses } from './node-use.ts';
import type { AdminSource } from './source.ts';

const MAX_TITLE_CHARS = 80;
/** Where a title is looked for. */
const TITLE_WITHIN_BYTES = 1024;
/** What stands behind blanks and comment marks, to the end of its line. */
const FIRST_WORDS = /^[\s-]*([^\n]*)/;
const MAX_SOURCE_BYTES = 1024 * 1024;
/** What is known of the scripts of one judge: to ask again is to parse again. */
const MAX_EXPLAINED = 64;

export interface ScriptFacts {
  readonly sha: string;
  readonly title: string;
  readonly origin: Origin;
  readonly bytes: number;
  readonly calls: number;
  readonly errors: number;
  /** Of the calls, by coarse bucket. */
  readonly latency: readonly number[];
  /** Null when the Lua checks have not seen it. */
  readonly readOnly: boolean | null;
  /** The first one. */
  readonly finding: Finding | null;
  /** Addresses of the nodes that are believed to have it. */
  readonly nodes: readonly string[];
}

export interface ScriptsFacts {
  /** What the registry holds, whether or not it matches. */
  readonly total: number;
  readonly scripts: readonly ScriptFacts[];
}

export interface ScriptsWanted {
  /** Begin of a sha, or part of a title, in lower case; empty for all. */
  readonly q: string;
  /** So many are looked at. */
  readonly limit: number;
}

export interface ScriptDetail extends ScriptFacts {
  readonly findings: readonly Finding[];
  readonly hints: readonly Finding[];
  readonly notAnalysed: string | null;
  readonly source: string;
  readonly isSourceCut: boolean;
}

type Uses = ReadonlyMap<string, NodeUse>;

const NO_CALLS: readonly number[] = new Array<number>(COARSE_BUCKETS).fill(0);

export function scriptsFacts(source: AdminSource, { q, limit }: ScriptsWanted): ScriptsFacts {
  const { registry } = source;
  const uses = nodeUses(source);
  const listed = registry.list(limit);
  const matching = q === '' ? listed : listed.filter((script) => matches(script, q));
  return { total: registry.count, scripts: matching.map((script) => factsOf(source, script, uses)) };
}

function matches(script: Script, wanted: string): boolean {
  return script.sha.startsWith(wanted) || titleOf(script).toLowerCase().includes(wanted);
}

function factsOf(source: AdminSource, script: Script, uses: Uses): ScriptFacts {
  const { usage } = script;
  const report = source.planning.reportOf(script);
  return {
    sha: script.sha,
    title: titleOf(script),
    origin: script.origin,
    bytes: script.body.length,
    calls: usage?.calls ?? 0,
    errors: usage?.errors ?? 0,
    latency: usage?.latency ?? NO_CALLS,
    readOnly: report?.isReadOnly ?? null,
    finding: report?.findings[0] ?? null,
    nodes: nodesWith(script, uses),
  };
}

function nodesWith(script: Script, uses: Uses): string[] {
  const addresses: string[] = [];
  for (const [address, { connections }] of uses) {
    if (connections.some((connection) => connection.marks.has(script))) addresses.push(address);
  }
  return addresses;
}

/** The first line that says something; comment marks are left out. */
export function titleOf({ body }: Script): string {
  const text = body.toString('utf8', 0, TITLE_WITHIN_BYTES);
  const [, line = ''] = FIRST_WORDS.exec(text) ?? [];
  const title = line.trimEnd();
  return title.length > MAX_TITLE_CHARS ? `${title.slice(0, MAX_TITLE_CHARS - 1)}…` : title;
}

/** One script, with its source; remembers what the checks said of the last ones. */
export class ScriptDetails {
  readonly #source: AdminSource;
  readonly #explained = new Map<string, { readonly judge: object | undefined; readonly report: Report }>();

  constructor(source: AdminSource) {
    this.#source = source;
  }

  /** The script with that sha, in any case; undefined when the registry does not hold it. */
  of(sha: string): ScriptDetail | undefined {
    const script = this.#source.registry.findBySha(sha);
    if (script === undefined) return undefined;
    const { findings, hints, notAnalysed, isReadOnly } = this.#explain(script);
    return {
      ...factsOf(this.#source, script, nodeUses(this.#source)),
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
