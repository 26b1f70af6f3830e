import { equal } from 'node:assert/strict';
import { HostEndMtus } from '../../../cni/host-end-mtus.ts';

describe("the MTU of a pod's host end", () => {
  it('is that with which it was made, whatever it is now', () => {
    const mtus = new HostEndMtus();
    mtus.made('wv1', 1364);
    equal(mtus.of({ name: 'wv1', mtu: 1300 }), 1364);
    mtus.looked([{ name: 'wv1', mtu: 9000 }]);
    equal(mtus.of({ name: 'wv1', mtu: 9000 }), 1364);
  });

  it('is that which a weftd finds at its start, if IPv6 can live with it', () => {
    const mtus = new HostEndMtus();
    mtus.looked([
      { name: 'wv1', mtu: 1400 },
      { name: 'wv2', mtu: 600 },
    ]);
    equal(mtus.of({ name: 'wv1', mtu: 1300 }), 1400);
    equal(mtus.of({ name: 'wv2', mtu: 600 }), 1280);
  });

  it('is forgotten with the interface', () => {
    const mtus = new HostEndMtus();
    mtus.made('wv1', 1364);
    mtus.looked([]);
    equal(mtus.of({ name: 'wv1', mtu: 1300 }), 1300);
  });
});
