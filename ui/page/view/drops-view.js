/**
 * What was dropped: packets that policies denied, one by one, and all others by their reasons.
 *
 * @import { DeniedRow } from '../../picture/picture.ts'
 * @import { PictureStore } from '../live/picture-store.js'
 */
import { link } from './details-workloads.js';
import { byId, element, replaceContent, setText, table } from './dom.js';
import { clock, portText, rate } from './format.js';

const MAX_ROWS = 100;

/**
 * @param {PictureStore} picture
 * @param {ReadonlySet<string> | undefined} shown workloads that are shown; undefined: all
 * @param {(id: string) => void} select
 */
export function showDenied(picture, shown, select) {
  const rows = picture.denied.filter(
    ({ source, target }) => shown === undefined || shown.has(source.workload) || shown.has(target.workload),
  );
  const isFiltered = rows.length < picture.denied.length;
  setText(
    byId('denied-note'),
    `a sample of what ${deniers(picture)} denied${isFiltered ? `; ${rows.length} of ${picture.denied.length} by the filter` : ''}`,
  );
  const where = byId('denied');
  if (!hasChanged(where, `${rows.length} ${rows.at(-1)?.id} ${rows[0]?.id}`)) return;
  if (rows.length === 0) {
    replaceContent(
      where,
      element('p', {
        class: 'none',
        text: isFiltered ? 'None to which the filter applies.' : 'No packet was denied since somebody looks.',
      }),
    );
    return;
  }
  const newest = rows.slice(-MAX_ROWS).reverse();
  replaceContent(
    where,
    table(
      ['When', 'From', 'To', 'Port', 'Denied by'],
      newest.map((row) => cells(row, select)),
      'Denied packets, the last one first',
    ),
  );
}

/** @param {PictureStore} picture */
function deniers({ head }) {
  if (head === undefined) return 'this node';
  return head.told > 1 ? `${head.told} nodes` : head.node;
}

/**
 * @param {PictureStore} picture
 */
export function showReasons(picture) {
  const rows = picture.series.lines
    .filter(({ id }) => id.startsWith('drop:'))
    .map(({ name, help, values }) => ({
      name,
      help,
      now: values.at(-1),
      packets: total(values, picture.series.at),
    }))
    .filter(({ packets }) => packets > 0)
    .sort((a, b) => b.packets - a.packets);
  const where = byId('reasons');
  if (!hasChanged(where, JSON.stringify(rows))) return;
  if (rows.length === 0) {
    replaceContent(where, element('p', { class: 'none', text: 'Nothing was dropped.' }));
    return;
  }
  const made = rows.map(({ name, help, now, packets }) => [
    element('span', {}, element('span', { text: name }), element('div', { class: 'muted', text: help })),
    Math.round(packets).toLocaleString('en'),
    rate(now),
  ]);
  replaceContent(where, table(['Reason', '#Packets', '#Now'], made, 'Dropped packets by reason'));
}

/**
 * @param {PictureStore} picture
 */
export function showWarnings(picture) {
  const { warnings = [], policy = null } = picture.head ?? {};
  const where = byId('warnings');
  if (!hasChanged(where, JSON.stringify([warnings, policy?.unhonoured, policy?.waiting]))) return;
  const items = [
    ...warnings.map(({ severity, code, message, remedy }) =>
      warning(severity === 'error', message, remedy, code),
    ),
    ...(policy?.unhonoured ?? []).map(({ policy: name, reasons }) =>
      warning(
        false,
        `${name} is not honoured as it is written: ${reasons.join('; ')}`,
        'change the policy',
        '',
      ),
    ),
    ...(policy?.waiting ?? []).map((pod) =>
      warning(
        false,
        `${pod} is closed until its policies are loaded`,
        'if that lasts, see weft policy status',
        '',
      ),
    ),
  ];
  if (items.length === 0)
    replaceContent(
      where,
      element('p', { class: 'muted', text: 'None: weftd and weft-npc of this node warn of nothing.' }),
    );
  else replaceContent(where, element('ul', {}, ...items));
}

/** What each place shows at present. @type {WeakMap<Element, string>} */
const shownBy = new WeakMap();

/**
 * @param {Element} where
 * @param {string} content
 */
function hasChanged(where, content) {
  if (shownBy.get(where) === content) return false;
  shownBy.set(where, content);
  return true;
}

/**
 * @param {DeniedRow} row
 * @param {(id: string) => void} select
 */
function cells(row, select) {
  const { source, target, policies, way } = row;
  const edge = `${source.workload}>${target.workload}`;
  const by = policies.length === 0 ? 'a policy that is gone' : policies.join(', ');
  return [
    element('span', { class: 'nowrap', text: clock(row.at) }),
    link(source.pod ?? source.address, edge, select),
    element('span', {}, target.pod ?? target.address),
    element('span', { class: 'nowrap', text: portText(row) }),
    element(
      'span',
      {},
      by,
      element('div', {
        class: 'muted',
        text: way === 'ingress' ? 'what may reach the target' : 'what may leave the source',
      }),
    ),
  ];
}

/**
 * Packets of a line of packets a second.
 *
 * @param {readonly (number | null)[]} values
 * @param {readonly number[]} at
 */
function total(values, at) {
  let sum = 0;
  for (let i = 1; i < values.length; i++)
    sum += ((values[i] ?? 0) * ((at[i] ?? 0) - (at[i - 1] ?? 0))) / 1000;
  return sum;
}

/**
 * @param {boolean} isError
 * @param {string} message
 * @param {string} remedy
 * @param {string} code
 */
function warning(isError, message, remedy, code) {
  return element(
    'li',
    {},
    element('span', { class: `tag${isError ? ' bad' : ''}`, text: isError ? '✕ Error' : '! Warning' }),
    element('span', { text: message }),
    element(
      'div',
      { class: 'muted' },
      remedy === '' ? null : `What to do: ${remedy}. `,
      code === '' ? null : element('code', { text: code }),
    ),
  );
}
