import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { PictureStore } from '../../../../ui/page/live/picture-store.js';
import { nodeGraph, workloadGraph } from '../../../../ui/page/map/graph.js';
import { DASHES } from '../../../../ui/page/map/map-shapes.js';
import { filterNodes, filterWorkloads, namespacesOf } from '../../../../ui/page/view/picture-filter.js';
import type { NodeRow, TunnelRow } from '../../../../ui/picture/picture.ts';
import { PictureHistory } from '../../../page/picture-history.ts';
import { PretendedCluster } from '../../../page/pretended-cluster.ts';

const ANY = { text: '', namespace: '', node: '', verdict: '' };

function shop(): PictureStore {
  const cluster = new PretendedCluster({ nodes: 5, workloads: 0, namespaces: 0 });
  const store = new PictureStore();
  store.takePicture(new PictureHistory(cluster, Date.UTC(2026, 10, 30), 5).next());
  return store;
}

describe('what the page draws', () => {
  const store = shop();
  const graph = workloadGraph([...store.workloads.values()], [...store.edges.values()]);
  const nodes = nodeGraph([...store.nodes.values()], [...store.tunnels.values()]);

  it('tells denied from passed by a dash and a word, not by colour', () => {
    const denied = graph.links.find(({ id }) => id === 'w:analytics/spark>w:shop/db')!;
    const passed = graph.links.find(({ id }) => id === 'w:shop/catalog>w:shop/db')!;
    deepEqual([denied.style, passed.style], ['denied', 'plain']);
    match(denied.label, /denied/);
    equal(passed.label, '');
    const dashes = Object.entries(DASHES).filter(([style]) => style !== 'idle');
    equal(new Set(dashes.map(([, dash]) => dash.join())).size, dashes.length);
  });

  it('gives each kind of item a form of its own, and each group its namespace', () => {
    const shapeOf = (id: string) => graph.items.find((item) => item.id === id)?.shape;
    deepEqual(
      [shapeOf('w:shop/db'), shapeOf('n:node-1'), shapeOf('outside')],
      ['circle', 'hexagon', 'diamond'],
    );
    equal(graph.items.find(({ id }) => id === 'w:shop/db')?.group, 'shop');
  });

  it('puts the node that was asked in the middle, and the nearest beside it', () => {
    const ranks = nodes.items.toSorted((a, b) => a.rank - b.rank).map(({ label }) => label);
    equal(ranks[0], 'node-1');
    equal(ranks[1], 'node-2');
  });

  it('tells a relayed tunnel from a direct one, and by whom', () => {
    const [direct, relayed] = ['node-2', 'node-5'].map((name) => {
      const to = nodes.items.find(({ label }) => label === name)!.id;
      return nodes.links.find(({ target }) => target === to)!;
    });
    deepEqual([direct!.style, relayed!.style], ['plain', 'relayed']);
    match(relayed!.label, /^by node-2 · /);
    equal(nodes.items.find(({ id }) => id === relayed!.by)?.label, 'node-2');
    notEqual(DASHES.plain.join(), DASHES.relayed.join());
  });
});

describe('tunnels of other nodes on the map', () => {
  const node = (id: string, isSelf = false): NodeRow => ({
    ...{ id, name: id, isSelf, version: '', state: isSelf ? 'self' : 'connected', addresses: [] },
    ...{ endpoints: [], told: true },
  });
  const tunnel = (from: string, to: string, more: Partial<TunnelRow> = {}): TunnelRow => ({
    ...{ id: `${from}>${to}`, from, to, state: 'connected', path: 'direct', endpoint: 'x', via: null },
    ...{ datapath: 'fast', suite: 'x', rttMs: 1, loss: null, mtu: 1420, mtuConfirmed: true, hasLink: false },
    ...{ sentBytesPerS: 0, receivedBytesPerS: 0 },
    ...more,
  });

  it('are one line for each two nodes, as the end sees it for which it is worse', () => {
    const nodes = [node('a', true), node('b'), node('c')];
    const { links } = nodeGraph(nodes, [
      tunnel('a', 'b'),
      tunnel('b', 'a'),
      tunnel('b', 'c'),
      tunnel('c', 'b', { path: 'relayed', via: 'a' }),
      tunnel('c', 'a', { loss: 0.5 }),
    ]);
    deepEqual(links.map(({ id }) => id).sort(), ['a>b', 'c>a', 'c>b']);
  });

  it('are drawn only where something is with them, where they are very many', () => {
    const ids = Array.from({ length: 40 }, (_, i) => `n${i}`);
    const others = ids
      .slice(1)
      .flatMap((from) =>
        ids
          .slice(1)
          .map((to) => tunnel(from, to, from === 'n7' && to === 'n9' ? { path: 'none', state: 'dead' } : {})),
      );
    const own = ids.slice(1).map((to) => tunnel('n0', to));
    const { links } = nodeGraph(
      ids.map((id, i) => node(id, i === 0)),
      [...own, ...others],
    );
    equal(links.length, own.length + 1);
    ok(links.some(({ id }) => id === 'n7>n9'));
  });
});

describe('the filter of the page', () => {
  const store = shop();

  it('shows all without one', () => {
    const { workloads, edges } = filterWorkloads(store, ANY);
    deepEqual([workloads.length, edges.length], [store.workloads.size, store.edges.size]);
    const all = filterNodes(store, ANY);
    deepEqual([all.nodes.length, all.tunnels.length], [store.nodes.size, store.tunnels.size]);
  });

  it('knows the namespaces', () => {
    deepEqual(namespacesOf(store), ['analytics', 'identity', 'kube-system', 'monitoring', 'shop']);
  });

  it('shows a namespace with whom it talks to', () => {
    const { workloads, edges } = filterWorkloads(store, { ...ANY, namespace: 'identity' });
    const names = workloads.map(({ id }) => id);
    ok(names.includes('w:identity/ldap') && names.includes('w:shop/web'));
    ok(!names.includes('w:shop/db'));
    ok(edges.every(({ source, target }) => [source, target].some((id) => id.startsWith('w:identity/'))));
  });

  it('shows what was denied, and nobody else', () => {
    const { workloads } = filterWorkloads(store, { ...ANY, verdict: 'dropped' });
    const ids = workloads.map(({ id }) => id).sort();
    deepEqual(ids, ['w:analytics/spark', 'w:shop/cart', 'w:shop/db', 'w:shop/payment']);
  });

  it('finds a pod by its name or address, and a pair by a policy', () => {
    const pod = store.workloads.get('w:shop/payment')!.pods[0]!;
    for (const text of [pod.name, pod.address, 'SHOP/PAYMENT'])
      ok(
        filterWorkloads(store, { ...ANY, text }).workloads.some(({ id }) => id === 'w:shop/payment'),
        text,
      );
    const { edges } = filterWorkloads(store, { ...ANY, text: 'db-clients' });
    deepEqual(
      edges.map(({ id }) => id),
      ['w:analytics/spark>w:shop/db'],
    );
  });

  it('asks for everything at once', () => {
    const { workloads } = filterWorkloads(store, {
      ...ANY,
      text: 'db',
      namespace: 'identity',
      verdict: 'dropped',
    });
    deepEqual(workloads, []);
  });

  it('shows one node with its tunnels, and the nodes of a namespace', () => {
    const one = filterNodes(store, { ...ANY, node: 'node-3' });
    const ends = one.tunnels.map(({ from, to }) => [from, to].map((id) => store.nodes.get(id)?.name).join());
    deepEqual(ends.sort(), [
      'node-1,node-3',
      'node-2,node-3',
      'node-3,node-4',
      'node-3,node-5',
      'node-5,node-3',
    ]);
    deepEqual(one.nodes.map(({ name }) => name).sort(), ['node-1', 'node-2', 'node-3', 'node-4', 'node-5']);
    const hosts = new Set(
      [...store.workloads.values()]
        .filter(({ namespace }) => namespace === 'analytics')
        .flatMap((row) => row.nodes),
    );
    const shown = filterNodes(store, { ...ANY, namespace: 'analytics' }).nodes.map(({ name }) => name);
    for (const host of hosts) ok(shown.includes(host), host);
  });
});
