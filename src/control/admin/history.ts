/**
 * A quarter of an hour of samples, one every five seconds, in arrays of fixed size: for the charts of the page, without
 * a database behind. Made while the admin port is on.
 */
import { fineStartUs, quantileUs } from '../../base/latency.ts';
import { askAll, type FactTeller } from './facts.ts';
import { rounded } from './rounding.ts';
import { addCounts, addLatency, type Counts, NO_COUNTS, noLatency, type SampleFacts } from './state-facts.ts';

export const STEP_MS = 5000;
const SAMPLES = 180;

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

/** The samples of all processes together, as they are counted up. */
interface Totals {
  readonly atMs: number;
  readonly counts: Counts;
  readonly latency: Float64Array;
}

export class History {
  readonly #tellers: () => readonly FactTeller[];
  readonly #values = Object.fromEntries(SERIES.map((name) => [name, new Float64Array(SAMPLES)])) as Record<
    Series,
    Float64Array
  >;
  #timer: NodeJS.Timeout | undefined;
  #isSampling = false;
  #count = 0;
  #last: Totals = { atMs: performance.now(), counts: NO_COUNTS, latency: noLatency() };
  /** The sample taken last; undefined in the first seconds. */
  newest: Sample | undefined;

  /** `tellers`: the processes that serve now. */
  constructor(tellers: () => readonly FactTeller[]) {
    this.#tellers = tellers;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#sample(), STEP_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #sample(): Promise<void> {
    if (this.#isSampling) return;
    this.#isSampling = true;
    this.#take(await askAll(this.#tellers(), 'sample', undefined));
    this.#isSampling = false;
  }

  #take(all: readonly SampleFacts[]): void {
    const before = this.#last;
    const now: Totals = {
      atMs: performance.now(),
      counts: all.reduce((total, { counts }) => addCounts(total, counts), NO_COUNTS),
      latency: all.reduce((total, { latency }) => addLatency(total, latency), noLatency()),
    };
    this.#last = now;
    const seconds = Math.max((now.atMs - before.atMs) / 1000, 0.001);
    // Never below zero, whatever became of who counted.
    const grown = (name: keyof Counts): number => Math.max(0, now.counts[name] - before.counts[name]);
    const since = now.latency.map((count, i) => Math.max(0, count - (before.latency[i] as number)));
    const sample: Sample = {
      unixS: Math.round(Date.now() / 1000),
      requestsPerS: grown('requests') / seconds,
      p50Ms: (quantileUs(since, fineStartUs, 0.5) ?? Number.NaN) / 1000,
      p99Ms: (quantileUs(since, fineStartUs, 0.99) ?? Number.NaN) / 1000,
      errorsPerS: grown('errors') / seconds,
      clients: all.reduce((total, { clients }) => total + clients, 0),
      heals: grown('heals'),
      refusals: grown('refusals'),
      lagMs: Math.max(0, ...all.map(({ lagMs }) => lagMs)),
    };
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
