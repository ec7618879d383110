/**
 * The table of scripts. Sorting, searching and paging are done by evalgate, which may hold thousands; what is shown is
 * asked for again with every round of the page.
 */
import { ask } from './api.js';
import { button, byId, make, setAttribute, setText } from './dom.js';
import { bytes, count, counted, milliseconds, shortSha } from './format.js';
import { Table } from './table.js';

const PAGE_ROWS = 25;
const SEARCH_DELAY_MS = 200;
/** Columns that are read from the top: names. Of numbers the large ones are wanted first. */
const UPWARDS = ['title', 'sha', 'origin', 'access'];

export class Scripts {
  #query = { sort: 'calls', order: 'desc', q: '', offset: 0 };
  #asked = 0;
  #table;
  #onFailure;

  /** `onOpen(sha)` shows a script; `onFailure(error)` hears of questions asked because somebody pressed something. */
  constructor({ onOpen, onFailure }) {
    this.#onFailure = onFailure;
    this.#table = new Table(byId('script-table'), {
      label: 'Scripts',
      keyOf: ({ sha }) => sha,
      empty: 'No script was sent through evalgate yet.',
      columns: columnsOf(onOpen),
      onSort: (sort) => this.#sortBy(sort),
    });
    this.#table.showSort('calls', 'desc');
    let timer;
    byId('search').addEventListener('input', ({ target }) => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#ask({ q: target.value.trim(), offset: 0 }), SEARCH_DELAY_MS);
    });
    byId('previous').addEventListener('click', () => this.#turn(-PAGE_ROWS));
    byId('next').addEventListener('click', () => this.#turn(PAGE_ROWS));
  }

  /** Asks and shows; an answer that somebody has meanwhile overtaken with another question is dropped. */
  async refresh() {
    const number = ++this.#asked;
    const query = this.#query;
    const list = await ask('scripts', { ...query, limit: PAGE_ROWS });
    if (number !== this.#asked) return;
    // Scripts go, too: not beyond the last page.
    if (list.scripts.length === 0 && query.offset > 0) return await this.#ask({ offset: 0 });
    this.#show(list, query);
  }

  #show({ total, matching, offset, scripts }, { q, sort, order }) {
    this.#table.update(scripts, q === '' ? undefined : `No script matches “${q}”.`);
    this.#table.showSort(sort, order);
    setText(byId('scripts-note'), q === '' ? `${count(total)} held` : `${count(matching)} of ${count(total)} match`);
    setText(byId('page-range'), `${count(offset + 1)} to ${count(offset + scripts.length)} of ${count(matching)}`);
    setAttribute(byId('pager'), 'hidden', matching > PAGE_ROWS ? null : '');
    byId('previous').disabled = offset === 0;
    byId('next').disabled = offset + scripts.length >= matching;
  }

  #sortBy(sort) {
    const usual = UPWARDS.includes(sort) ? 'asc' : 'desc';
    const other = this.#query.order === 'asc' ? 'desc' : 'asc';
    return this.#ask({ sort, order: sort === this.#query.sort ? other : usual, offset: 0 });
  }

  #turn(rows) {
    return this.#ask({ offset: Math.max(0, this.#query.offset + rows) });
  }

  async #ask(change) {
    this.#query = { ...this.#query, ...change };
    try {
      await this.refresh();
    } catch (error) {
      this.#onFailure(error);
    }
  }
}

function columnsOf(onOpen) {
  return [
    { label: 'Script', sort: 'title', isWide: true, render: (cell, row) => showTitle(cell, row, onOpen) },
    { label: 'Sha', sort: 'sha', text: ({ sha }) => shortSha(sha), title: ({ sha }) => sha },
    { label: 'Calls', sort: 'calls', isNumber: true, text: ({ calls }) => count(calls) },
    {
      label: 'Errors',
      sort: 'errors',
      isNumber: true,
      text: ({ errors }) => count(errors),
      state: ({ errors }) => (errors > 0 ? 'bad' : null),
    },
    { label: 'p50', sort: 'p50', isNumber: true, text: ({ p50Ms }) => milliseconds(p50Ms) },
    { label: 'p99', sort: 'p99', isNumber: true, text: ({ p99Ms }) => milliseconds(p99Ms) },
    { label: 'Size', sort: 'bytes', isNumber: true, text: (row) => bytes(row.bytes) },
    { label: 'Came by', sort: 'origin', text: ({ origin }) => (origin === 'load' ? 'SCRIPT LOAD' : 'EVAL') },
    { label: 'Access', sort: 'access', text: ({ readOnly }) => accessOf(readOnly) },
    {
      label: 'Finding',
      sort: 'finding',
      text: findingOf,
      title: ({ finding }) => finding?.text,
      state: ({ finding }) => (finding === null ? null : finding.severity === 'error' ? 'bad' : 'notice'),
    },
    {
      label: 'Nodes',
      sort: 'nodes',
      isNumber: true,
      text: ({ nodes }) => count(nodes.length),
      title: ({ nodes }) => (nodes.length === 0 ? 'no node is believed to have it' : nodes.join('\n')),
    },
  ];
}

function showTitle(cell, { sha, title }, onOpen) {
  if (cell.firstElementChild === null) cell.append(button('', () => onOpen(sha), { class: 'link' }));
  setText(cell.firstElementChild, title === '' ? '(empty)' : title);
}

export function accessOf(readOnly) {
  if (readOnly === null) return 'not known';
  return readOnly ? 'reads' : 'writes';
}

/** A script that the checks have not looked at may have any. */
function findingOf({ finding, readOnly }) {
  if (finding !== null) return finding.rule;
  return readOnly === null ? 'not checked' : 'none';
}

/** What a row tells, for the head of the script's dialog. */
export function factsOf(script) {
  const { sha, origin, calls, errors, p50Ms, p99Ms, readOnly, nodes } = script;
  const pairs = [
    ['Sha', sha],
    ['Came by', origin === 'load' ? 'SCRIPT LOAD' : 'EVAL'],
    ['Calls', count(calls)],
    ['Errors', count(errors)],
    ['Latency', calls === 0 ? 'not called yet' : `p50 ${milliseconds(p50Ms)}, p99 ${milliseconds(p99Ms)}`],
    ['Size', bytes(script.bytes)],
    ['Access', accessOf(readOnly)],
    ['On', nodes.length === 0 ? 'no node' : `${counted(nodes.length, 'node')}: ${nodes.join(', ')}`],
  ];
  return make(
    'dl',
    { class: 'facts' },
    ...pairs.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))),
  );
}
