/**
 * Elements from data. Text gets into the page by textContent only: what clients, scripts and nodes say can never become
 * markup, and nothing here takes markup.
 */

/** The element of the page with that id. */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element "${id}"`);
  return element;
}

/** An element with attributes and children: strings become text, `undefined` and `null` nothing. `on` listens. */
export function make(tag, attributes = {}, ...children) {
  const { on = {}, ...rest } = attributes;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(rest)) setAttribute(element, name, value);
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** A button that is no more than its text and what it does. */
export function button(text, onClick, attributes = {}) {
  return make('button', { type: 'button', ...attributes, on: { click: onClick } }, text);
}

/** Touches the page only where something changes, so that a selection in it stays. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === undefined || value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/**
 * Brings the children of `parent` in line with `items`: those that stay are the same elements as before, updated, with
 * focus and selection. `create(item)` makes one, `update(element, item)` is called for all.
 */
export function keep(parent, items, { keyOf, create, update }) {
  const wanted = new Set(items.map((item) => String(keyOf(item))));
  // What goes, goes first: then those that stay are where they were, and need not be moved.
  for (const child of [...parent.children]) if (!wanted.has(child.dataset.key)) child.remove();
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = known.get(key);
    if (element === undefined) {
      element = create(item);
      element.dataset.key = key;
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
    update(element, item);
  }
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}
