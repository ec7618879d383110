/**
 * What `evalgate top` shows, from two looks at the admin API: a line of totals, and a table of scripts with those that
 * are called most on top. Pure text, for terminals of any width from 40 columns on; at 80 everything is there.
 */

/** Of /api/status; what else is in it is not looked at. */
export interface TopStatus {
  readonly version: string;
  readonly ready: boolean;
  readonly problem: string | null;
  readonly uptimeS: number;
  readonly clients: number;
  readonly memoryBytes: number;
  readonly requests: number;
  readonly errors: number;
  readonly heals: number;
  readonly refusals: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly scripts: number;
}

/** A row of /api/scripts. */
export interface TopScript {
  readonly sha: string;
  readonly title: string;
  readonly bytes: number;
  readonly calls: number;
  readonly errors: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface Look {
  /** By a monotonic clock. */
  readonly atMs: number;
  readonly status: TopStatus;
  readonly scripts: readonly TopScript[];
}

export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

const TOTALS = ['req/s', 'err/s', 'p50 ms', 'p99 ms', 'clients', 'heals', 'refused', 'memory'];
const TOTAL_WIDTH = 9;
const HEAD = ['calls/s', 'errors', 'p50 ms', 'p99 ms', 'bytes'];
const CELL_WIDTH = 8;
const SHA_CHARS = 8;
/** Lines that are no script. */
const OTHER_LINES = 6;

/** The lines of the screen; rates are those between the two looks. */
export function topLines(before: Look, now: Look, { columns, rows }: Screen): string[] {
  const { status } = now;
  const seconds = Math.max((now.atMs - before.atMs) / 1000, 0.001);
  const rate = (one: number, other: number): number => Math.max(0, one - other) / seconds;
  const totals = [
    shortNumber(rate(status.requests, before.status.requests)),
    shortNumber(rate(status.errors, before.status.errors)),
    shortMs(status.p50Ms),
    shortMs(status.p99Ms),
    shortNumber(status.clients),
    shortNumber(status.heals),
    shortNumber(status.refusals),
    shortBytes(status.memoryBytes),
  ];
  const state = status.ready ? 'ready' : `NOT READY: ${status.problem ?? ''}`;
  const calledBefore = new Map(before.scripts.map((script) => [script.sha, script.calls]));
  const table = now.scripts
    .map((script) => ({ script, callsPerS: rate(script.calls, calledBefore.get(script.sha) ?? 0) }))
    .sort((a, b) => b.callsPerS - a.callsPerS || b.script.calls - a.script.calls)
    .slice(0, Math.max(1, rows - OTHER_LINES))
    .map(({ script, callsPerS }) => scriptLine(script, callsPerS));
  return [
    `evalgate ${status.version}  up ${shortTime(status.uptimeS)}  ${state}`,
    TOTALS.map((name) => name.padStart(TOTAL_WIDTH)).join(''),
    totals.map((value) => value.padStart(TOTAL_WIDTH)).join(''),
    '',
    `${HEAD.map((name) => name.padStart(CELL_WIDTH)).join('')}  ${'sha'.padEnd(SHA_CHARS)}  script (${status.scripts} held)`,
    ...(table.length === 0 ? ['  no script was called yet'] : table),
  ].map((line) => cut(line, columns));
}

function scriptLine({ sha, title, bytes, errors, p50Ms, p99Ms }: TopScript, callsPerS: number): string {
  const cells = [shortNumber(callsPerS), shortNumber(errors), shortMs(p50Ms), shortMs(p99Ms), shortBytes(bytes)];
  return `${cells.map((cell) => cell.padStart(CELL_WIDTH)).join('')}  ${sha.slice(0, SHA_CHARS)}  ${printable(title)}`;
}

/** Control characters out of a script's text must not reach the terminal. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, '·');
}

/** By code points; a character may be wider than one column, which costs looks and nothing else. */
function cut(line: string, columns: number): string {
  const characters = [...line];
  return characters.length <= columns ? line : `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`;
}

/** At most 6 characters: `0`, `0.4`, `123`, `12.3k`, `1.2M`. */
export function shortNumber(value: number): string {
  if (value >= 999_950) return `${trimmed(value / 1e6)}M`;
  if (value >= 9999.5) return `${trimmed(value / 1000)}k`;
  return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

/** `50`, `1.2K`, `64.0M`: of 1024. */
export function shortBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ['', 'K', 'M', 'G']) {
    if (value < 1023.95 || unit === 'G') return unit === '' ? String(Math.round(value)) : `${trimmed(value)}${unit}`;
    value /= 1024;
  }
  return String(bytes);
}

function trimmed(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(1);
}

function shortMs(ms: number | null): string {
  if (ms === null) return '-';
  return ms >= 100 ? String(Math.round(ms)) : ms.toFixed(ms >= 10 ? 1 : 2);
}

function shortTime(seconds: number): string {
  const [days, hours] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600)];
  const two = (value: number): string => String(value % 60).padStart(2, '0');
  if (days > 0) return `${days}d ${hours % 24}h`;
  return `${hours}:${two(Math.floor(seconds / 60))}:${two(seconds)}`;
}
