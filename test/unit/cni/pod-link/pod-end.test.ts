import assert from 'node:assert/strict';
import { planAttachment } from '../../../../cni/attachment.ts';
import { type ObservedPodEnd, podEndFaults } from '../../../../cni/pod-link/pod-end.ts';
import { address } from '../fakes.ts';

const ATTACHMENT = planAttachment(
  { containerId: 'one', ifname: 'eth0' },
  'weft',
  { v4: address('10.32.0.7'), v6: address('fd00::7') },
  1364,
);
const V4 = { family: 4, start: 0n, end: 2n ** 32n } as const;
const V6 = { family: 6, start: 0n, end: 2n ** 128n } as const;

function route(destination: typeof V4 | typeof V6, changes: object = {}): ObservedPodEnd['routes'][number] {
  const gateway = address(destination.family === 4 ? '169.254.1.1' : 'fe80::1');
  const metric = destination.family === 4 ? 0 : 1024;
  return {
    ...{ destination, kind: 'unicast', link: 2, gateway, metric, preferredSource: undefined },
    ...{ table: 254, protocol: 87, mtu: undefined, ...changes },
  };
}

const WHOLE: ObservedPodEnd = {
  link: {
    ...{ index: 2, name: 'eth0', up: true, mtu: 1364, txQueueLength: 1000, mac: ATTACHMENT.podMac },
    ...{ alias: undefined, kind: 'veth', peerIndex: 9, loopback: false, arp: true, masterIndex: undefined },
  },
  addresses: ATTACHMENT.addresses.map((own) => ({
    ...{ link: 2, address: own, prefix: own.family === 4 ? 32 : 128 },
    ...{ scope: 'global', usable: true, temporary: false },
  })),
  routes: [route(V4), route(V6)],
  neighbours: ['169.254.1.1', 'fe80::1'].map((gateway) => ({
    ...{ link: 2, address: address(gateway), mac: ATTACHMENT.hostMac, permanent: true },
  })),
};

const parts = (changes: Partial<ObservedPodEnd>): string[] =>
  podEndFaults({ ...WHOLE, ...changes }, ATTACHMENT).map(({ part }) => part);

describe("a pod's end", () => {
  it('has no fault where all is as it was made', () => {
    assert.deepEqual(parts({}), []);
  });

  it('has lost its routes, neighbours and IPv6 address after down and up, in the order of the repair', () => {
    const [v4] = WHOLE.addresses;
    const left = { addresses: [v4!], routes: [], neighbours: [], link: { ...WHOLE.link!, up: false } };
    assert.deepEqual(parts(left), [
      'up',
      'address fd00::7',
      'neighbour 169.254.1.1',
      'neighbour fe80::1',
      'route 4',
      'route 6',
    ]);
  });

  it('has another MTU or hardware address, another prefix, a neighbour that was learned or is elsewhere', () => {
    assert.deepEqual(parts({ link: { ...WHOLE.link!, mtu: 1500, mac: new Uint8Array(6) } }), ['mac', 'mtu']);
    assert.deepEqual(parts({ addresses: WHOLE.addresses.map((entry) => ({ ...entry, prefix: 24 })) }), [
      'address 10.32.0.7',
      'address fd00::7',
    ]);
    const neighbours = WHOLE.neighbours;
    assert.deepEqual(
      parts({
        neighbours: [
          { ...neighbours[0]!, permanent: false },
          { ...neighbours[1]!, link: 3 },
        ],
      }),
      ['neighbour 169.254.1.1', 'neighbour fe80::1'],
    );
  });

  it('has no default route of its own where another one leads elsewhere', () => {
    assert.deepEqual(parts({ routes: [route(V4, { link: 5, gateway: undefined }), route(V6)] }), ['route 4']);
    assert.deepEqual(parts({ routes: [route(V4), route(V6, { gateway: address('fe80::2') })] }), ['route 6']);
  });

  it('has nothing to be put right where it is gone', () => {
    assert.deepEqual(parts({ link: undefined, addresses: [], routes: [], neighbours: [] }), []);
  });
});
