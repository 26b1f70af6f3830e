/**
 * Elements without markup: text goes in as text, whoever chose it.
 *
 * @typedef {Node | string | number | null | undefined | false} Child
 */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * A new element. `on…` are listeners, `text` is its text, everything else an attribute; false and undefined leave it out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, unknown>>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  fill(made, attributes, children);
  return made;
}

/**
 * The same for SVG.
 *
 * @param {string} tag
 * @param {Readonly<Record<string, unknown>>} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  fill(made, attributes, children);
  return made;
}

/**
 * The element of the page with this id, which is always there.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * Puts `text` there where it is other than before, so that what is selected or read aloud stays.
 *
 * @param {Element} where
 * @param {string} text
 */
export function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/**
 * Puts other children there. What had the focus has it again, by its `data-key`, and what was scrolled stays so.
 *
 * @param {Element} where
 * @param {...Node} children
 */
export function replaceContent(where, ...children) {
  const focused = where.contains(document.activeElement)
    ? document.activeElement?.getAttribute('data-key')
    : null;
  // Asking for it has the browser lay out everything that is new: not where there is nothing that was scrolled.
  const top = where.childElementCount > 0 ? where.scrollTop : 0;
  where.replaceChildren(...children);
  if (top > 0) where.scrollTop = top;
  if (focused === null || focused === undefined) return;
  const again = [...where.querySelectorAll('[data-key]')].find(
    (each) => each.getAttribute('data-key') === focused,
  );
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
}

/**
 * A table; a cell is text or an element. `columns`: a name that begins with `#` stands for numbers.
 *
 * @param {readonly string[]} columns
 * @param {readonly (readonly Child[])[]} rows
 * @param {string} caption what it is a table of, for those who do not see where it stands
 */
export function table(columns, rows, caption) {
  const isNumber = columns.map((name) => name.startsWith('#'));
  const head = columns.map((name, i) =>
    element('th', { scope: 'col', class: isNumber[i] && 'number', text: name.replace('#', '') }),
  );
  const body = rows.map((cells) =>
    element('tr', {}, ...cells.map((cell, i) => element('td', { class: isNumber[i] && 'number' }, cell))),
  );
  return element(
    'table',
    {},
    element('caption', { class: 'unseen', text: caption }),
    element('thead', {}, element('tr', {}, ...head)),
    element('tbody', {}, ...body),
  );
}

/**
 * Names with their values, those without a value left out.
 *
 * @param {readonly (readonly [string, Child])[]} facts
 */
export function factsList(facts) {
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return element(
    'dl',
    { class: 'facts-list' },
    ...shown.flatMap(([name, value]) => [element('dt', { text: name }), element('dd', {}, value)]),
  );
}

/**
 * @param {Element} made
 * @param {Readonly<Record<string, unknown>>} attributes
 * @param {readonly Child[]} children
 */
function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    if (name === 'text') made.textContent = String(value);
    else if (name.startsWith('on'))
      made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else made.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : String(child));
  }
}
