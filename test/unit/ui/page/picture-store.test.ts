import { deepEqual, equal } from 'node:assert/strict';
import {
  MAX_DENIED as PAGE_MAX_DENIED,
  SERIES_POINTS as PAGE_POINTS,
  PictureStore,
} from '../../../../ui/page/live/picture-store.js';
import { MAX_DENIED, type Picture, SERIES_POINTS } from '../../../../ui/picture/picture.ts';
import { pictureChange } from '../../../../ui/picture/picture-change.ts';
import { PictureHistory } from '../../../page/picture-history.ts';
import { PretendedCluster } from '../../../page/pretended-cluster.ts';

const NOW = Date.UTC(2026, 10, 30);
const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);

/** What a store holds, as the picture that it was made of. */
function held(store: PictureStore): Picture {
  return {
    ...store.head!,
    nodes: [...store.nodes.values()].sort(byId),
    tunnels: [...store.tunnels.values()].sort(byId),
    workloads: [...store.workloads.values()].sort(byId),
    edges: [...store.edges.values()].sort(byId),
    denied: store.denied,
    series: store.series,
  };
}

/** The order of rows means nothing. */
function sorted(picture: Picture): Picture {
  const { nodes, tunnels, workloads, edges } = picture;
  return {
    ...picture,
    nodes: nodes.toSorted(byId),
    tunnels: tunnels.toSorted(byId),
    workloads: workloads.toSorted(byId),
    edges: edges.toSorted(byId),
  };
}

/** As it comes over the wire. */
function sent<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value));
}

describe("the page's copy of the picture", () => {
  it('is after each change what the server has', () => {
    const cluster = new PretendedCluster({ nodes: 5, workloads: 0, namespaces: 0 });
    const history = new PictureHistory(cluster, NOW, 3);
    let before = history.next();
    const store = new PictureStore();
    store.takePicture(sent(before));
    for (let i = 0; i < 40; i++) {
      if (i === 10) cluster.addTalk('shop/newcomer', 'shop/web');
      const after = history.next();
      equal(store.takeChange(sent(pictureChange(before, after))), true);
      deepEqual(held(store), sorted(sent(after)));
      before = after;
    }
  });

  it('keeps as many points and denied packets as the server, also when there are more', () => {
    equal(PAGE_MAX_DENIED, MAX_DENIED);
    equal(PAGE_POINTS, SERIES_POINTS);
    const history = new PictureHistory(new PretendedCluster({ nodes: 2, workloads: 0, namespaces: 0 }), NOW);
    let before = history.next();
    const store = new PictureStore();
    store.takePicture(sent(before));
    for (let i = 0; i < 60; i++) {
      const after = history.next();
      store.takeChange(sent(pictureChange(before, after)));
      before = after;
    }
    equal(store.series.at.length, SERIES_POINTS);
    deepEqual(held(store), sorted(sent(before)));
  });

  it('refuses a change where one before it is missing, and stays as it was', () => {
    const history = new PictureHistory(
      new PretendedCluster({ nodes: 2, workloads: 0, namespaces: 0 }),
      NOW,
      2,
    );
    const first = history.next();
    const second = history.next();
    const third = history.next();
    const store = new PictureStore();
    equal(store.takeChange(pictureChange(first, second)), false);
    store.takePicture(sent(first));
    equal(store.takeChange(pictureChange(second, third)), false);
    deepEqual(held(store), sorted(sent(first)));
  });
});
