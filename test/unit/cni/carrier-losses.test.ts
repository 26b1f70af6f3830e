import assert from 'node:assert/strict';
import { CarrierLosses } from '../../../cni/carrier-losses.ts';

describe('a pod whose end was set down, seen from the host', () => {
  const link = (carrierLosses: number, up = true) => [{ name: 'wv1', up, carrierLosses }];
  let losses: CarrierLosses;
  beforeEach(() => {
    losses = new CarrierLosses();
    losses.looked(link(1));
  });

  it('is one whose host end lost its carrier since it was first seen', () => {
    losses.looked(link(1));
    assert.equal(losses.has('wv1'), false);
    losses.looked(link(2));
    losses.looked(link(2));
    assert.equal(losses.has('wv1'), true, 'until it is made anew');
  });

  it('is not one whose host end was set down on the host, and mended', () => {
    losses.looked(link(2, false));
    losses.forget('wv1');
    losses.looked(link(2));
    assert.equal(losses.has('wv1'), false);
    losses.looked(link(3));
    assert.equal(losses.has('wv1'), true);
  });

  it('is none any more once its pair is gone', () => {
    losses.looked(link(2));
    losses.looked([]);
    losses.looked(link(5));
    assert.equal(losses.has('wv1'), false);
  });
});
