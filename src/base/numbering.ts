/** Which numbers a process gives out, so that no two processes beside each other give out the same: first, first + step, … */
export interface Numbering {
  readonly first: number;
  readonly step: number;
}

/** What a process by itself goes by: 1, 2, 3, … */
export const ALONE: Numbering = { first: 1, step: 1 };
