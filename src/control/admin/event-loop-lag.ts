/** How late the event loop of this process is, over the time since the last reset. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 20;

export interface Lateness {
  /** Half of the time, at most. */
  readonly p50Ms: number;
  /** 1 % of the time. */
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class EventLoopLag {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delay.enable();
  }

  get now(): Lateness {
    const lateMs = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS) || 0;
    const { max } = this.#delay;
    return { p50Ms: lateMs(this.#delay.percentile(50)), p99Ms: lateMs(this.#delay.percentile(99)), maxMs: lateMs(max) };
  }

  reset(): void {
    this.#delay.reset();
  }

  stop(): void {
    this.#delay.disable();
  }
}
