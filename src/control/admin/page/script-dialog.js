/**
 * One script: facts, what the Lua checks say, and its source with the findings under the lines that they are about.
 * A refused script is not held; for it stands what the refusal told.
 */
import { ask } from './api.js';
import { button, byId, make, setText } from './dom.js';
import { factsOf } from './scripts.js';
import { sourceView } from './source-view.js';

export class ScriptDialog {
  #dialog = byId('script-dialog');
  #body = byId('script-body');
  #wanted;

  constructor() {
    byId('close-script').addEventListener('click', () => this.#dialog.close());
    // The backdrop is the dialog itself; all within has elements of its own.
    this.#dialog.addEventListener('click', ({ target }) => {
      if (target === this.#dialog) this.#dialog.close();
    });
    this.#dialog.addEventListener('close', () => {
      this.#wanted = undefined;
    });
  }

  /** Asks for the script and shows it. Never rejects: what goes wrong is shown. */
  async open(sha) {
    this.#show(`Script ${sha}`, make('p', { class: 'note' }, 'Asking…'));
    this.#wanted = sha;
    try {
      const script = await ask(`scripts/${sha}`);
      if (this.#wanted === sha) this.#show(script.title === '' ? '(empty)' : script.title, ...contentOf(script));
    } catch (error) {
      if (this.#wanted !== sha) return;
      const text =
        error.status === 404 ? 'evalgate does not hold this script any more.' : `Cannot show it: ${error.message}.`;
      this.#show(`Script ${sha}`, make('p', {}, text));
    }
  }

  /** A refusal, from the events: line, text and rule are all there is. */
  openRefusal({ sha, rule, line, source, text }) {
    this.#wanted = undefined;
    this.#show(
      'Refused script',
      make('p', { class: 'sha' }, sha),
      make('div', { class: 'source' }, sourceView(source ?? '', [{ rule, line, text, severity: 'error' }], line)),
      make(
        'p',
        { class: 'note' },
        'evalgate refused this script and does not hold it; this is the line that broke the rule.',
      ),
    );
  }

  #show(title, ...content) {
    setText(byId('script-title'), title);
    this.#body.replaceChildren(...content);
    this.#body.scrollTop = 0;
    if (!this.#dialog.open) this.#dialog.showModal();
  }
}

function contentOf(script) {
  const { findings, hints, notAnalysed, source, isSourceCut } = script;
  const remarks = [...findings, ...hints.map((hint) => ({ ...hint, isHint: true }))];
  const view = sourceView(source, remarks);
  return [
    factsOf(script),
    notAnalysed === null
      ? verdict(remarks, view)
      : make('p', { class: 'verdict' }, `The Lua checks cannot read it: ${notAnalysed}`),
    make('div', { class: 'source', tabindex: '0', role: 'region', 'aria-label': 'Source' }, view),
    isSourceCut ? make('p', { class: 'note' }, 'The source is cut at 1 MB.') : undefined,
  ].filter((part) => part !== undefined);
}

/** What was found, with a way to each line. */
function verdict(remarks, view) {
  if (remarks.length === 0) return make('p', { class: 'verdict' }, 'The Lua checks find nothing.');
  const goTo = (line) => view.querySelector(`[data-line="${line}"]`)?.scrollIntoView({ block: 'center' });
  const items = remarks.map(({ rule, line, isHint }) =>
    make(
      'li',
      {},
      button(`Line ${line}: ${rule}${isHint ? ' (hint)' : ''}`, () => goTo(line), { class: 'link' }),
    ),
  );
  return make('ul', { class: 'verdict' }, ...items);
}
