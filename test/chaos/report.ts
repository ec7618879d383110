/**
 * What the chaos test prints: one row for each kind of event, and below it the errors by text.
 */
import { formatTable } from '../../bench/table.ts';
import type { Books } from './books.ts';
import type { Outcome, Recovery } from './events.ts';

export class Row {
  readonly title: string;
  readonly errors = new Map<string, number>();
  times = 0;
  replyCount = 0;
  noscriptCount = 0;
  lost = 0;
  disorderCount = 0;
  worstPauseMs = 0;
  recovery: Recovery | undefined;

  constructor(title: string) {
    this.title = title;
  }

  add(books: Books, { times, recovery, lost }: Outcome & { readonly lost: number }): void {
    this.times += times;
    this.replyCount += books.replyCount;
    this.noscriptCount += books.noscriptCount;
    this.disorderCount += books.disorderCount;
    this.lost += lost;
    this.worstPauseMs = Math.max(this.worstPauseMs, books.worstPauseMs);
    for (const [text, count] of books.errors) this.errors.set(text, (this.errors.get(text) ?? 0) + count);
    if (recovery !== undefined && laterBy(recovery) >= laterBy(this.recovery)) this.recovery = recovery;
  }
}

function laterBy(recovery: Recovery | undefined): number {
  return recovery === undefined ? Number.NEGATIVE_INFINITY : recovery.clientsMs - recovery.clusterMs;
}

const HEADER = [
  'event',
  'times',
  'replies',
  'NOSCRIPT',
  'errors',
  'lost',
  'reordered',
  'worst pause ms',
  'failover ms',
  'clients go on ms',
];

function cellsOf(row: Row): string[] {
  const { recovery, errors } = row;
  const errorCount = [...errors.values()].reduce((total, count) => total + count, 0);
  const figures = [row.times, row.replyCount, row.noscriptCount, errorCount, row.lost, row.disorderCount];
  return [
    row.title,
    ...figures.map((figure) => figure.toLocaleString('en')),
    Math.round(row.worstPauseMs).toLocaleString('en'),
    recovery === undefined ? '' : Math.round(recovery.clusterMs).toLocaleString('en'),
    recovery === undefined ? '' : Math.round(recovery.clientsMs).toLocaleString('en'),
  ];
}

/** The table, and the errors of each event by their text. */
export function report(rows: readonly Row[], markdown: boolean): string {
  const table = formatTable(HEADER, rows.map(cellsOf), markdown);
  const errors = rows.flatMap(({ title, errors }) =>
    [...errors].map(([text, count]) => `- ${title}: ${count} × \`${text}\``),
  );
  return `${table}\n\n${errors.length === 0 ? 'No errors.' : `Errors:\n\n${errors.join('\n')}`}`;
}
