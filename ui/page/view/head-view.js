/**
 * What stands above the maps: who was asked, how it is at a glance, and what is missing.
 *
 * @import { PictureStore } from '../live/picture-store.js'
 */
import { byId, element, setText } from './dom.js';
import { bytesRate, counted, rate } from './format.js';

/**
 * @param {PictureStore} picture
 */
export function showHead(picture) {
  const { head } = picture;
  if (head === undefined) return;
  const { viewer } = head;
  const whom = viewer.user === null ? '' : ` · shown to ${viewer.user}: ${namespacesText(viewer.namespaces)}`;
  setText(byId('asked'), `${head.node} · ${head.version} · flows of ${counted(head.told, 'node')}${whom}`);
  const problems = head.warnings.length;
  document.title = `${problems > 0 ? `(${problems}) ` : ''}Weft · ${head.node}`;
  setText(
    byId('foot'),
    `Amounts are of the last ${Math.round(head.seconds)} s. Times are those of this browser.${
      head.counted ? '' : ' The kernel counts no bytes: weftd --flow-bytes has it do so.'
    }`,
  );
  showSummary(picture);
}

/**
 * @param {readonly { readonly text: string, readonly isBad: boolean }[]} notices
 */
export function showNotices(notices) {
  const where = byId('notices');
  const key = JSON.stringify(notices);
  if (where.dataset.shown === key) return;
  where.dataset.shown = key;
  where.replaceChildren(
    ...notices.map(({ text, isBad }) => element('p', { class: `notice${isBad ? ' bad' : ''}`, text })),
  );
}

/**
 * What the picture itself says is missing in it.
 *
 * @param {PictureStore} picture
 */
export function missingInPicture({ head }) {
  if (head === undefined) return [];
  const notices = head.notes.map((text) => ({ text, isBad: false }));
  if (head.silent.length > 0) {
    const named = head.silent.slice(0, 8).map(({ node, reason }) => `${node} (${reason})`);
    const more = head.silent.length > 8 ? ` and ${head.silent.length - 8} more` : '';
    notices.unshift({ text: `Flows are missing of ${named.join(', ')}${more}.`, isBad: false });
  }
  if (head.away !== null)
    notices.unshift({ text: `weftd does not answer, so all of this is old: ${head.away}`, isBad: true });
  return notices;
}

/** @param {PictureStore} picture */
function showSummary(picture) {
  const { head, nodes, tunnels, series } = picture;
  if (head === undefined) return;
  const now = (/** @type {string} */ id) => series.lines.find((line) => line.id === id)?.values.at(-1);
  const denied = now('denied') ?? 0;
  const states = [...nodes.values()].map(({ state }) => state);
  const down = states.filter(
    (state) => state === 'dead' || state === 'suspect' || state === 'unreachable',
  ).length;
  const self = [...nodes.values()].find(({ isSelf }) => isSelf)?.id;
  const own = [...tunnels.values()].filter(({ from }) => from === self);
  const paths = own.map(({ path }) => path);
  const direct = paths.filter((path) => path === 'direct').length;
  const relayed = paths.filter((path) => path === 'relayed').length;
  const errors = head.warnings.filter(({ severity }) => severity === 'error').length;
  const workloads = [...picture.workloads.values()].filter(({ kind }) => kind === 'workload').length;
  const bytes = head.counted ? bytesRate((now('sent') ?? 0) + (now('received') ?? 0)) : 'not counted';
  /** @type {(readonly [string, string, string])[]} */
  const tiles = [
    ['Workloads', workloads.toLocaleString('en'), ''],
    ['New connections', rate(now('began')), ''],
    ['Bytes, both ways', bytes, ''],
    ['Denied packets', denied > 0 ? `✕ ${rate(denied)}` : '0/s', denied > 0 ? 'bad' : ''],
  ];
  if (head.viewer.seesNodes)
    tiles.push(
      down > 0
        ? [
            'Nodes that are reached',
            `✕ ${(nodes.size - down).toLocaleString('en')} of ${nodes.size.toLocaleString('en')}`,
            'bad',
          ]
        : ['Nodes', nodes.size.toLocaleString('en'), ''],
      [
        'Its tunnels direct · relayed',
        `${direct.toLocaleString('en')} · ${relayed.toLocaleString('en')}`,
        '',
      ],
      [
        'Warnings',
        `${head.warnings.length > 0 ? '! ' : ''}${head.warnings.length}`,
        errors > 0 ? 'bad' : head.warnings.length > 0 ? 'warn' : '',
      ],
    );
  const where = byId('summary');
  if (where.childElementCount !== tiles.length)
    where.replaceChildren(...tiles.map(() => element('div', {}, element('dt'), element('dd'))));
  tiles.forEach(([name, value, kind], i) => {
    const tile = where.children[i];
    if (tile === undefined || tile.firstElementChild === null || tile.lastElementChild === null) return;
    tile.className = kind;
    setText(tile.firstElementChild, name);
    setText(tile.lastElementChild, value);
  });
}

/** @param {readonly string[] | null} namespaces */
function namespacesText(namespaces) {
  if (namespaces === null) return 'all namespaces';
  if (namespaces.length === 0) return 'no namespace';
  const more = namespaces.length > 4 ? ` and ${namespaces.length - 4} more` : '';
  return `${namespaces.slice(0, 4).join(', ')}${more}`;
}
