import { deepEqual, equal, ok } from 'node:assert/strict';
import type { Picture, Viewer } from '../../../ui/picture/picture.ts';
import { PictureMaker } from '../../../ui/picture/picture-maker.ts';
import { viewerPicture } from '../../../ui/picture/viewer-picture.ts';
import { drop, flows, outsider, POLICY_STATUS, pair, peersOf, pod, reportOf, totals } from './ui-fixtures.ts';

const RED = pod('red/web-5d9c7b8f6d-x2x4z', '10.32.0.2', 'n1');
const BLUE = pod('blue/db-0', '10.40.0.2', 'n2');
const GREEN = pod('green/cache-0', '10.40.0.9', 'n2');
const NO_SERIES = { at: [], lines: [] };
const OWNER_OF_RED: Viewer = { user: 'alice', namespaces: ['red'], seesNodes: false };

/** All that a node may know, of three namespaces. */
function fullPicture(): Picture {
  const maker = new PictureMaker({});
  maker.takeReport(reportOf(), 0);
  maker.takePeers(peersOf(), 0);
  maker.takePolicy(POLICY_STATUS);
  maker.takeTotals(
    totals(
      [
        pair(RED, BLUE, { service: '10.96.0.77', port: 5432 }),
        pair(RED, GREEN, { service: '10.96.0.78', port: 6379 }),
        pair(GREEN, RED, { service: '10.96.0.79', port: 8080 }),
        pair(BLUE, GREEN, { port: 1111 }),
        pair(RED, outsider('198.51.100.1')),
        pair(BLUE, outsider('198.51.100.2')),
        pair(null, RED),
      ],
      { silent: [{ node: 'n3-of-blue', reason: 'it is down' }], notes: ['n2: blue is odd'] },
    ),
    0,
  );
  maker.takeFlows(
    flows([
      drop(BLUE, RED, ['NetworkPolicy red/closed', 'ClusterNetworkPolicy baseline']),
      drop(RED, BLUE, ['NetworkPolicy blue/secret']),
      drop(BLUE, GREEN, ['NetworkPolicy green/hidden']),
    ]),
    0,
  );
  return maker.picture(1);
}

describe('what a user of one namespace sees', () => {
  const seen = viewerPicture(fullPicture(), OWNER_OF_RED, NO_SERIES);

  it('holds no name, address, Service, policy or node of others', () => {
    const text = JSON.stringify(seen);
    const foreign = [
      ...['blue', 'green', '10.40.0.2', '10.40.0.9', '10.96.0.77', '10.96.0.78', '198.51.100.2'],
      ...['n2', 'n3-of-blue', 'is odd', '192.0.2.2', 'aaaaaa', 'bbbbbb', '10.32.0.1'],
    ];
    deepEqual(
      foreign.filter((word) => text.includes(word)),
      [],
    );
  });

  it('has their own workloads, who of outside talks with them, and one row for all others', () => {
    deepEqual(
      seen.workloads.map(({ id, kind }) => [id, kind]),
      [
        ['w:red/web', 'workload'],
        ['o:198.51.100.1', 'outside'],
        ['outside', 'outside'],
        ['other', 'other'],
      ],
    );
    deepEqual(
      seen.edges.map(({ id, open, ports }) => [id, open, ports.map(({ port, service }) => [port, service])]),
      [
        [
          'w:red/web>other',
          2,
          [
            [5432, null],
            [6379, null],
          ],
        ],
        ['other>w:red/web', 1, [[8080, '10.96.0.79']]],
        ['w:red/web>o:198.51.100.1', 1, [[80, null]]],
        ['outside>w:red/web', 1, [[80, null]]],
      ],
    );
  });

  it('has what was denied of theirs, by policies of theirs and of the cluster', () => {
    deepEqual(
      seen.denied.map(({ source, target, policies }) => [source.pod, target.pod, policies]),
      [
        [null, RED.pod, ['NetworkPolicy red/closed', 'ClusterNetworkPolicy baseline']],
        [RED.pod, null, ['a policy that you may not see']],
      ],
    );
    deepEqual(seen.policy, {
      complete: true,
      selected: null,
      waiting: [],
      unhonoured: POLICY_STATUS.unhonoured,
    });
  });

  it('has neither nodes nor tunnels, nor what went through the whole node', () => {
    deepEqual(
      [seen.nodes, seen.tunnels, seen.series, seen.warnings, seen.notes],
      [[], [], NO_SERIES, [], []],
    );
  });

  it('is nothing at all where they may list no pods anywhere', () => {
    const none = viewerPicture(fullPicture(), { ...OWNER_OF_RED, namespaces: [] }, NO_SERIES);
    deepEqual([none.workloads, none.edges, none.denied], [[], [], []]);
    ok(!JSON.stringify(none).includes('red/'));
  });
});

describe('what others see', () => {
  it('is everything, by a link', () => {
    const picture = fullPicture();
    deepEqual(viewerPicture(picture, picture.viewer, NO_SERIES), picture);
  });

  it('is all workloads and no node, where they may list pods of all namespaces and no nodes', () => {
    const picture = fullPicture();
    const seen = viewerPicture(picture, { user: 'bob', namespaces: null, seesNodes: false }, NO_SERIES);
    deepEqual([seen.nodes, seen.tunnels], [[], []]);
    deepEqual(seen.edges, picture.edges);
    equal(seen.workloads.length, picture.workloads.length);
  });
});
