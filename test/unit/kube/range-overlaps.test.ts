import { deepEqual, doesNotThrow, throws } from 'node:assert/strict';
import { parseCidr } from '../../../base/range.ts';
import { type KubeNode, readServiceCidr, type ServiceCidr } from '../../../kube/objects.ts';
import { RangeOverlaps, refuseApiOverlap } from '../../../kube/range-overlaps.ts';

const RANGES = [parseCidr('10.96.128.0/17')!, parseCidr('fd00:96::/64')!];
const meta = { namespace: '', uid: '1', resourceVersion: '1' };

function services(...cidrs: string[]): ServiceCidr {
  return { ...meta, name: 'kubernetes', cidrs };
}

function node(name: string, ...internalIps: string[]): KubeNode {
  return { ...meta, name, internalIps, podCidrs: [], isReady: true };
}

describe('refuseApiOverlap', () => {
  for (const [host, range, variable] of [
    ['10.96.128.1', '10.96.128.0/17', 'IPALLOC_RANGE'],
    ['fd00:96::1', 'fd00:96::/64', 'IPALLOC_RANGE6'],
  ] as const) {
    it(`refuses a range that holds the API at ${host}`, () =>
      throws(() => refuseApiOverlap(RANGES, host), {
        code: 'E_RANGE_OVERLAP',
        message: `the pod range ${range} holds ${host}, the address of the API of Kubernetes`,
        remedy: `choose another range with ${variable}`,
      }));
  }

  for (const host of ['10.96.0.1', 'fd00:97::1', 'api.example', '', undefined]) {
    it(`lets ${host} be`, () => doesNotThrow(() => refuseApiOverlap(RANGES, host)));
  }
});

describe('RangeOverlaps', () => {
  const remedy = 'take Weft off (weft-reset.yaml) and choose another range with IPALLOC_RANGE';

  it('tells of ranges of Services once, and shows them while they are there', () => {
    const overlaps = new RangeOverlaps(RANGES);
    const used = 'the range 10.96.0.0/16 of Services';
    const found = [services('10.96.0.0/16', 'fd00:97::/112'), services('10.97.0.0/16'), services('nonsense')];
    deepEqual(overlaps.takeServices(found), [{ range: '10.96.128.0/17', used, remedy }]);
    deepEqual(overlaps.takeServices(found), []);
    deepEqual(overlaps.lines(), [`the pod range 10.96.128.0/17 overlaps ${used}; ${remedy}`]);
    overlaps.takeServices([]);
    deepEqual(overlaps.lines(), []);
  });

  it('names one node of those that are inside, and counts the others', () => {
    const overlaps = new RangeOverlaps(RANGES);
    overlaps.takeNodes([
      node('a', '192.0.2.1', '10.96.200.1'),
      node('b', '10.96.200.2', 'fd00:96::7'),
      node('c', '10.96.1.1', 'nonsense'),
    ]);
    deepEqual(overlaps.lines(), [
      `the pod range 10.96.128.0/17 overlaps the address 10.96.200.1 of node a and 1 more; ${remedy}`,
      `the pod range fd00:96::/64 overlaps the address fd00:96::7 of node b; ${remedy}6`,
    ]);
  });
});

describe('readServiceCidr', () => {
  it('takes text alone for a range, and at most two', () => {
    const metadata = { ...meta, name: 'kubernetes' };
    const cidrs = [7, '10.96.0.0/16', 'fd00:96::/112'];
    deepEqual(readServiceCidr({ metadata, spec: { cidrs } })?.cidrs, ['10.96.0.0/16']);
    deepEqual(readServiceCidr({ metadata, spec: { cidrs: 'x' } })?.cidrs, []);
    deepEqual(readServiceCidr({ metadata })?.cidrs, []);
    deepEqual(readServiceCidr({ spec: { cidrs } }), undefined);
  });
});
