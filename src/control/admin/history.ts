/**
 * A quarter of an hour of samples, one every five seconds, in arrays of fixed size: for the charts of the page, without
 * a database behind. Made while the admin port is on.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { FINE_BUCKETS, fineStartUs, quantileUs } from '../../base/latency.ts';
import type { AdminSource } from './source.ts';

export const STEP_MS = 5000;
const SAMPLES = 180;
const LAG_RESOLUTION_MS = 20;

/** One value for each sample. Rates are per second over the step that ends there; a latency is NaN without requests. */
const SERIES = [
  'unixS',
  'requestsPerS',
  'p50Ms',
  'p99Ms',
  'errorsPerS',
  'clients',
  'heals',
  'refusals',
  'lagMs',
] as const;

export type Series = (typeof SERIES)[number];

export type Sample = Readonly<Record<Series, number>>;

/** What is only ever counted up: the samples are made of differences. */
interface Totals {
  readonly atMs: number;
  readonly requests: number;
  readonly errors: number;
  readonly heals: number;
  readonly refusals: number;
  readonly latency: Float64Array;
}

export class History {
  readonly #source: AdminSource;
  readonly #values = Object.fromEntries(SERIES.map((name) => [name, new Float64Array(SAMPLES)])) as Record<
    Series,
    Float64Array
  >;
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  #last: Totals;
  /** The sample taken last; undefined in the first seconds. */
  newest: Sample | undefined;

  constructor(source: AdminSource) {
    this.#source = source;
    this.#last = totalsOf(source);
  }

  start(): void {
    this.#lag.enable();
    this.#timer = setInterval(() => this.sample(), STEP_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#lag.disable();
  }

  /** How late the event loop is, in milliseconds, since the last sample: half of the time, at most, and 1 % of it. */
  get lag(): { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number } {
    const lateMs = (ns: number): number => Math.max(0, ns / 1e6 - LAG_RESOLUTION_MS) || 0;
    const { max } = this.#lag;
    return { p50Ms: lateMs(this.#lag.percentile(50)), p99Ms: lateMs(this.#lag.percentile(99)), maxMs: lateMs(max) };
  }

  /** Takes a sample: by the timer, and by tests. */
  sample(): void {
    const before = this.#last;
    const now = totalsOf(this.#source);
    this.#last = now;
    const seconds = Math.max((now.atMs - before.atMs) / 1000, 0.001);
    const since = now.latency.map((count, i) => count - (before.latency[i] as number));
    const sample: Sample = {
      unixS: Math.round(Date.now() / 1000),
      requestsPerS: (now.requests - before.requests) / seconds,
      p50Ms: (quantileUs(since, fineStartUs, 0.5) ?? Number.NaN) / 1000,
      p99Ms: (quantileUs(since, fineStartUs, 0.99) ?? Number.NaN) / 1000,
      errorsPerS: (now.errors - before.errors) / seconds,
      clients: this.#source.counters.clients,
      heals: now.heals - before.heals,
      refusals: now.refusals - before.refusals,
      lagMs: this.lag.maxMs,
    };
    this.#lag.reset();
    for (const name of SERIES) this.#values[name][this.#count % SAMPLES] = sample[name];
    this.#count++;
    this.newest = sample;
  }

  /** The oldest first; what is not a number is null. */
  toJSON(): Record<Series, (number | null)[]> {
    const length = Math.min(this.#count, SAMPLES);
    const inOrder = (values: Float64Array): (number | null)[] =>
      Array.from({ length }, (_, i) => rounded(values[(this.#count - length + i) % SAMPLES] as number));
    return Object.fromEntries(SERIES.map((name) => [name, inOrder(this.#values[name])])) as Record<
      Series,
      (number | null)[]
    >;
  }
}

function totalsOf({ counters, checkCounters, statistics }: AdminSource): Totals {
  const latency = new Float64Array(FINE_BUCKETS);
  latency.set(statistics.latency.counts);
  return {
    atMs: performance.now(),
    requests: counters.requests,
    errors: statistics.errors.total,
    heals: counters.noscriptHealed,
    refusals: checkCounters.refused,
    latency,
  };
}

/** Three digits behind the point; null for what is no number. */
export function rounded(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : Math.round(value * 1000) / 1000;
}
