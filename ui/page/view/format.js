/** Numbers and times as people read them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/**
 * `1.2 MB/s`; a dash where it is not known.
 *
 * @param {number | null | undefined} value bytes a second
 */
export function bytesRate(value) {
  if (value === null || value === undefined) return '–';
  let unit = 0;
  let left = value;
  while (left >= 999.5 && unit < UNITS.length - 1) {
    left /= 1000;
    unit++;
  }
  return `${threeDigits(left)} ${UNITS[unit]}/s`;
}

/**
 * `12/s`, `0.3/s`.
 *
 * @param {number | null | undefined} value
 */
export function rate(value) {
  return value === null || value === undefined ? '–' : `${threeDigits(value)}/s`;
}

/**
 * A value in the unit of its line.
 *
 * @param {number | null | undefined} value
 * @param {string} unit
 */
export function inUnit(value, unit) {
  if (value === null || value === undefined) return '–';
  if (unit === 'bytes/s') return bytesRate(value);
  if (unit === 'ms') return milliseconds(value);
  if (unit === 'connections') return threeDigits(value);
  return rate(value);
}

/**
 * @param {number | null | undefined} value
 */
export function milliseconds(value) {
  if (value === null || value === undefined) return '–';
  return `${value < 1 ? value.toFixed(2) : threeDigits(value)} ms`;
}

/**
 * @param {number | null | undefined} share 0 to 1
 */
export function percent(share) {
  if (share === null || share === undefined) return '–';
  const value = share * 100;
  return `${value > 0 && value < 0.95 ? value.toFixed(1) : Math.round(value)} %`;
}

/**
 * `1 pod`, `2 pods`.
 *
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function counted(number, one, many = `${one}s`) {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

/**
 * `12:03:04`, in the time of who looks.
 *
 * @param {number} at milliseconds since 1970
 */
export function clock(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

/**
 * `TCP 5432`, `ICMP`.
 *
 * @param {{ readonly protocol: string, readonly port: number | null }} flow
 */
export function portText({ protocol, port }) {
  return port === null ? protocol : `${protocol} ${port}`;
}

/**
 * Cut in its middle, for the ends of names tell more than that.
 *
 * @param {string} text
 * @param {number} length
 */
export function shortened(text, length) {
  const letters = [...text];
  if (letters.length <= length) return text;
  const head = Math.ceil((length - 1) * 0.6);
  return `${letters.slice(0, head).join('')}…${letters.slice(letters.length - (length - 1 - head)).join('')}`;
}

/** @param {number} value */
function threeDigits(value) {
  if (value === 0) return '0';
  if (value < 0.01) return '<0.01';
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(value < 10 ? 2 : 3)));
}
