/**
 * How a process numbers what it has (clients, slow requests, events), so that processes side by side never give out the
 * same number: the n-th gets offset + n × step.
 */
export interface Numbering {
  readonly offset: number;
  readonly step: number;
}

/** What a process by itself goes by. */
export const ALONE: Numbering = { offset: 0, step: 1 };

export function numberOf(n: number, { offset, step }: Numbering): number {
  return offset + n * step;
}
