/**
 * Lua source by lines, with what was found under the line that it is about, and a mark where it begins. Source is text
 * and stays text, whatever it looks like.
 */
import { make } from './dom.js';

/** More would hold up the browser; nobody reads them. */
const MAX_LINES = 20_000;
const WORD = /^[\w.:]+|^./u;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** An ordered list of lines, the first of them number `from`. */
export function sourceView(source, remarks, from = 1) {
  const lines = source.split('\n');
  const byLine = Map.groupBy(remarks, ({ line }) => line);
  const items = lines.slice(0, MAX_LINES).map((text, i) => lineOf(text, i + from, byLine.get(i + from) ?? []));
  if (lines.length > MAX_LINES)
    items.push(make('li', { class: 'note' }, `${lines.length - MAX_LINES} more lines are not shown`));
  return make('ol', { class: 'lines' }, ...items);
}

function lineOf(text, number, remarks) {
  const state = remarks.length === 0 ? undefined : remarks.some(isGrave) ? 'bad' : 'notice';
  const code = make('code', {}, ...marked(text.replace(/\r$/, ''), remarks));
  return make(
    'li',
    { 'data-line': number, 'data-state': state },
    make('span', { class: 'line-number', 'aria-hidden': 'true' }, String(number)),
    code,
    ...remarks.map(findingUnder),
  );
}

function isGrave({ severity, isHint }) {
  return severity === 'error' && !isHint;
}

/** The rule, what a client is told, and what to change. */
function findingUnder(remark) {
  const { rule, line, text, advice } = remark;
  return make(
    'p',
    { class: 'finding', 'data-state': isGrave(remark) ? 'bad' : 'notice' },
    make('strong', {}, remark.isHint ? `${rule} (hint)` : rule),
    make('span', { class: 'hidden' }, ` in line ${line}`),
    ` ${text}`,
    advice === undefined || advice === '' ? undefined : make('span', { class: 'advice' }, advice),
  );
}

/** The line as text, with a <mark> around the word at each column that is known. Columns are bytes, from 1. */
function marked(text, remarks) {
  const known = remarks.map(({ column }) => column).filter((column) => column !== undefined);
  const columns = [...new Set(known)].sort((a, b) => a - b);
  const parts = [];
  let done = 0;
  for (const column of columns) {
    const start = decoder.decode(encoder.encode(text).subarray(0, column - 1)).length;
    const [word] = WORD.exec(text.slice(start)) ?? [];
    if (start < done || word === undefined) continue;
    parts.push(text.slice(done, start), make('mark', {}, word));
    done = start + word.length;
  }
  return [...parts, text.slice(done)];
}
