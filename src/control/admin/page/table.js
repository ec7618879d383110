/**
 * A live table: rows are kept by their key, so that what somebody reads, selects or has focused stays while numbers
 * change. On a narrow screen every row becomes a card whose numbers carry the column's name (tables.css); the roles are
 * spelled out, because an element that is no longer laid out as a table would lose them.
 *
 * A column is `{label, text(row)}` or `{label, render(cell, row)}`, and may have `isNumber`, `isWide` (a whole line of the
 * card), `isLong` (two of its three columns), `title(row)`, `state(row)` (a word for CSS) and `sort` (what the header
 * asks for).
 */
import { button, keep, make, setAttribute, setText } from './dom.js';

export class Table {
  #columns;
  #keyOf;
  #empty;
  #body = make('tbody', { role: 'rowgroup' });
  #headers = [];
  #nothing;

  /** `onSort(sort)` is called when somebody presses a header; `empty` is shown when there are no rows. */
  constructor(parent, { label, columns, keyOf, empty, onSort }) {
    this.#columns = columns;
    this.#keyOf = keyOf;
    this.#empty = empty;
    this.#headers = columns.map((column) => headerOf(column, onSort));
    this.#nothing = make('p', { class: 'nothing', hidden: '' });
    const head = make('thead', { role: 'rowgroup' }, make('tr', { role: 'row' }, ...this.#headers));
    const kind = onSort === undefined ? 'plain' : 'sortable';
    parent.append(make('table', { role: 'table', class: kind, 'aria-label': label }, head, this.#body), this.#nothing);
  }

  /** `empty` says why there are no rows, where it is not the usual reason. */
  update(rows, empty = this.#empty) {
    keep(this.#body, rows, {
      keyOf: this.#keyOf,
      create: () => make('tr', { role: 'row' }, ...this.#columns.map(cellOf)),
      update: (element, row) => {
        this.#columns.forEach((column, i) => {
          fill(element.children[i], column, row);
        });
      },
    });
    setText(this.#nothing, empty);
    setAttribute(this.#nothing, 'hidden', rows.length > 0 ? '' : null);
  }

  /** Marks the column that the rows are sorted by. */
  showSort(sort, order) {
    this.#columns.forEach((column, i) => {
      if (column.sort === undefined) return;
      const direction = order === 'asc' ? 'ascending' : 'descending';
      setAttribute(this.#headers[i], 'aria-sort', column.sort === sort ? direction : 'none');
    });
  }
}

function headerOf(column, onSort) {
  const { label, sort, isNumber } = column;
  const content = sort === undefined ? label : button(label, () => onSort(sort));
  return make('th', { role: 'columnheader', scope: 'col', class: isNumber ? 'number' : undefined }, content);
}

function cellOf({ label, isNumber, isWide, isLong }) {
  const kinds = [isNumber && 'number', isWide && 'wide', isLong && 'long'].filter(Boolean).join(' ');
  return make('td', { role: 'cell', class: kinds || undefined, 'data-label': label });
}

function fill(cell, column, row) {
  if (column.render !== undefined) column.render(cell, row);
  else setText(cell, column.text(row));
  setAttribute(cell, 'title', column.title?.(row));
  setAttribute(cell, 'data-state', column.state?.(row));
}
