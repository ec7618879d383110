/** What happened of late, newest first, as it happens: refusals, heals, slow scripts. */
import { button, byId, keep, make, setAttribute, setText } from './dom.js';
import { ago, count, counted, dateTime, shortSha } from './format.js';

/** How a kind is called, its state for CSS, and the choice that shows it. */
const KINDS = {
  refused: { name: 'Refused', state: 'bad', choice: 'refused' },
  observed: { name: 'Would be refused', state: 'notice', choice: 'refused' },
  not_analysed: { name: 'Not analysed', state: 'notice', choice: 'refused' },
  healed: { name: 'Healed', state: 'good', choice: 'healed' },
  slow_script: { name: 'Slow', state: 'notice', choice: 'slow' },
};

const CHOICES = [
  ['all', 'All'],
  ['refused', 'Refused'],
  ['healed', 'Healed'],
  ['slow', 'Slow'],
];

export class Events {
  #choice = 'all';
  #events = [];
  /** When the newest event began that was there before: what is younger is marked as new. */
  #seenMs;
  #dialog;
  #buttons = new Map();

  /** `dialog` opens scripts. */
  constructor(dialog) {
    this.#dialog = dialog;
    for (const [choice, name] of CHOICES) {
      const one = button(name, () => this.#choose(choice), { 'aria-pressed': choice === this.#choice });
      this.#buttons.set(choice, one);
      byId('event-kinds').append(one);
    }
  }

  update({ events }) {
    this.#events = events;
    this.#show();
    this.#seenMs = events[0]?.firstUnixMs ?? 0;
  }

  #choose(choice) {
    this.#choice = choice;
    for (const [name, one] of this.#buttons) setAttribute(one, 'aria-pressed', name === choice);
    this.#show();
  }

  #show() {
    const chosenBy = (choice) => this.#events.filter(({ kind }) => choice === 'all' || KINDS[kind]?.choice === choice);
    for (const [choice, name] of CHOICES) {
      setText(this.#buttons.get(choice), `${name} ${count(chosenBy(choice).length)}`);
    }
    const shown = chosenBy(this.#choice);
    const list = byId('event-list');
    const isEmpty = shown.length === 0;
    keep(list, isEmpty ? [undefined] : shown, {
      // Ids begin anew with evalgate.
      keyOf: (event) => (event === undefined ? 'nothing' : `${event.id} ${event.firstUnixMs}`),
      create: (event) => (event === undefined ? make('li', { class: 'nothing' }, NOTHING) : this.#make(event)),
      update: (element, event) => {
        if (event !== undefined) update(element, event);
      },
    });
  }

  #make(event) {
    const { kind, sha, firstUnixMs } = event;
    const { name, state } = KINDS[kind] ?? { name: kind };
    const open = () => (kind === 'refused' ? this.#dialog.openRefusal(event) : this.#dialog.open(sha));
    const isNew = this.#seenMs !== undefined && firstUnixMs > this.#seenMs;
    return make(
      'li',
      { class: isNew ? 'new' : undefined },
      make('span', { class: 'kind', 'data-state': state }, name),
      button(shortSha(sha), open, { class: 'link', title: sha }),
      make('span', { class: 'times' }),
      make('time'),
      make('p', { class: 'what' }),
    );
  }
}

const NOTHING = 'Nothing of this kind happened of late.';

function update(element, event) {
  const [, , times, when, what] = element.children;
  setText(times, event.count === 1 ? '' : counted(event.count, 'time'));
  setText(when, ago(event.lastUnixMs));
  setAttribute(when, 'datetime', new Date(event.lastUnixMs).toISOString());
  setAttribute(when, 'title', dateTime(event.lastUnixMs));
  setText(what, whatOf(event));
}

function whatOf({ kind, rule, line, source, text, node, ms }) {
  if (kind === 'healed') return `${node} had lost the script; no client noticed`;
  if (kind === 'slow_script') return `up to ${count(ms)} ms on ${node}`;
  if (kind === 'not_analysed') return text;
  return `${rule}, line ${line}: ${(source ?? '').trim()}`;
}
