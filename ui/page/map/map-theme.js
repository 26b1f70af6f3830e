/**
 * Colours of the map, which are those of the page's style at present.
 *
 * @typedef {Record<(typeof NAMES)[number], string> & { font: string }} Theme
 */

const NAMES = /** @type {const} */ ([
  'surface',
  'text',
  'muted',
  'accent',
  'bad',
  'edge',
  'edge-idle',
  'item',
  'item-quiet',
  'bubble',
  'bubble-line',
]);

/** @returns {Theme} */
export function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const colours = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]);
  return { ...Object.fromEntries(colours), font: style.getPropertyValue('--font').trim() };
}

/**
 * Tells when they are others: the scheme of the system, or its contrast, has changed.
 *
 * @param {() => void} onChange
 */
export function followTheme(onChange) {
  for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)', '(prefers-contrast: more)'])
    matchMedia(query).addEventListener('change', onChange);
}
