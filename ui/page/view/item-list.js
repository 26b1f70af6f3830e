/**
 * The list beside the map, which holds the same. Rows that stay are changed and not made anew, so the place in the list stays.
 *
 * @import { Item } from '../map/graph.js'
 */

import { shapeSign } from '../map/map-shapes.js';
import { byId, element, setText } from './dom.js';

export class ItemList {
  #list = byId('list');
  #onSelect;
  #selected = '';
  /** @type {readonly Item[]} */
  #items = [];
  /** @type {Map<string, { row: HTMLElement, sign: string, name: HTMLElement, facts: HTMLElement }>} */
  #rows = new Map();
  /** @type {Map<string, HTMLElement>} */
  #groups = new Map();
  #number = 0;

  /**
   * @param {(id: string, isPointed?: boolean) => void} onSelect
   * @param {() => void} onEnter
   */
  constructor(onSelect, onEnter) {
    this.#onSelect = onSelect;
    this.#list.addEventListener('keydown', (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Enter') onEnter();
      else if (event.key === 'Escape') onSelect('');
      else if (!this.#step(event.key)) return;
      event.preventDefault();
    });
    this.#list.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest('[data-id]') : null;
      if (row !== null) onSelect(row.getAttribute('data-id') ?? '', true);
    });
  }

  /** @param {readonly Item[]} items in the order of the list */
  set(items) {
    this.#items = items;
    const groups = [...new Set(items.map(({ group }) => group))];
    const known = new Set(items.map(({ id }) => id));
    for (const [id, { row }] of this.#rows) {
      if (known.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const [name, group] of this.#groups) {
      if (groups.includes(name)) continue;
      group.remove();
      this.#groups.delete(name);
    }
    groups.forEach((name, i) => {
      put(this.#list, this.#groupOf(name), i);
    });
    /** @type {Map<string, number>} */
    const seen = new Map();
    for (const item of items) {
      const group = this.#groupOf(item.group);
      const number = seen.get(item.group) ?? (item.group === '' ? 0 : 1);
      seen.set(item.group, number + 1);
      put(group, this.#rowOf(item), number);
    }
    this.#mark(false);
  }

  /** @param {string} id */
  select(id) {
    this.#selected = id;
    this.#mark(true);
  }

  /** @param {string} key */
  #step(key) {
    const now = this.#items.findIndex(({ id }) => id === this.#selected);
    const last = this.#items.length - 1;
    const page = 10;
    /** @type {Readonly<Record<string, number>>} */
    const next = {
      ArrowDown: now + 1,
      ArrowUp: now < 0 ? last : now - 1,
      PageDown: now + page,
      PageUp: now - page,
      Home: 0,
      End: last,
    };
    const to = next[key];
    if (to === undefined) return false;
    const item = this.#items[Math.max(0, Math.min(last, to))];
    if (item !== undefined) this.#onSelect(item.id);
    return true;
  }

  /** @param {string} name */
  #groupOf(name) {
    let group = this.#groups.get(name);
    if (group === undefined) {
      const title = element('div', {
        class: 'list-group',
        id: `group-${++this.#number}`,
        role: 'presentation',
        text: name,
      });
      group = element(
        'div',
        name === '' ? { role: 'presentation' } : { role: 'group', 'aria-labelledby': title.id },
      );
      if (name !== '') group.append(title);
      this.#groups.set(name, group);
    }
    return group;
  }

  /** @param {Item} item */
  #rowOf(item) {
    let known = this.#rows.get(item.id);
    const sign = `${item.shape} ${item.isFilled} ${item.isBad}`;
    if (known === undefined) {
      const name = element('span', { class: 'name' });
      const facts = element('span', { class: 'facts' });
      const id = `row-${++this.#number}`;
      const row = element('div', {
        class: 'list-row',
        role: 'option',
        id,
        'data-id': item.id,
        'aria-selected': 'false',
      });
      row.append(shapeSign(item), name, facts);
      known = { row, sign, name, facts };
      this.#rows.set(item.id, known);
    }
    if (known.sign !== sign) {
      known.row.firstChild?.replaceWith(shapeSign(item));
      known.sign = sign;
    }
    setText(known.name, item.label);
    setText(known.facts, item.facts === '' ? 'quiet' : item.facts);
    known.facts.classList.toggle('bad', item.isBad);
    return known.row;
  }

  /** @param {boolean} isMoved whether another one was selected */
  #mark(isMoved) {
    const selected = this.#rows.get(this.#selected)?.row;
    for (const row of this.#list.querySelectorAll('[aria-selected="true"]'))
      if (row !== selected) row.setAttribute('aria-selected', 'false');
    selected?.setAttribute('aria-selected', 'true');
    if (selected === undefined) this.#list.removeAttribute('aria-activedescendant');
    else this.#list.setAttribute('aria-activedescendant', selected.id);
    if (isMoved && selected !== undefined) {
      const box = this.#list.getBoundingClientRect();
      const place = selected.getBoundingClientRect();
      if (place.top < box.top + 24) this.#list.scrollTop -= box.top + 24 - place.top;
      else if (place.bottom > box.bottom) this.#list.scrollTop += place.bottom - box.bottom + 4;
    }
  }
}

/**
 * Has `child` stand at that number, without touching what stands right.
 *
 * @param {Element} parent
 * @param {Element} child
 * @param {number} number
 */
function put(parent, child, number) {
  const there = parent.children[number];
  if (there !== child) parent.insertBefore(child, there ?? null);
}
