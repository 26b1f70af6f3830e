import assert from 'node:assert/strict';
import { formatMac, planAttachment } from '../../../cni/attachment.ts';
import { CniFault } from '../../../cni/fault.ts';
import { attachmentResult, missingFromResult } from '../../../cni/result.ts';
import { address } from './fakes.ts';

const key = { containerId: 'abc', ifname: 'eth0' };
const both = planAttachment(key, 'weft', { v4: address('10.32.0.7'), v6: address('fd00::7') }, 1364);
const hostMac = formatMac(both.hostMac);
const podMac = formatMac(both.podMac);
const routes = [
  { dst: '0.0.0.0/0', gw: '169.254.1.1' },
  { dst: '::/0', gw: 'fe80::1' },
];

describe('attachmentResult', () => {
  it('at 1.1.0 has the MTU and no version of addresses', () => {
    assert.deepEqual(attachmentResult('1.1.0', both, '/run/netns/a', {}, undefined), {
      cniVersion: '1.1.0',
      interfaces: [
        { name: both.hostName, mac: hostMac, mtu: 1364 },
        { name: 'eth0', mac: podMac, mtu: 1364, sandbox: '/run/netns/a' },
      ],
      ips: [
        { address: '10.32.0.7/32', gateway: '169.254.1.1', interface: 1 },
        { address: 'fd00::7/128', gateway: 'fe80::1', interface: 1 },
      ],
      routes,
      dns: {},
    });
  });

  it('at 1.0.0 has neither', () => {
    const result = attachmentResult('1.0.0', both, '/a', {}, undefined);
    assert.deepEqual(result.interfaces[0], { name: both.hostName, mac: hostMac });
    assert.deepEqual(result.ips[0], { address: '10.32.0.7/32', gateway: '169.254.1.1', interface: 1 });
  });

  for (const version of ['0.3.1', '0.4.0'] as const) {
    it(`at ${version} says of each address which version it is`, () => {
      const result = attachmentResult(version, both, '/a', {}, undefined);
      assert.deepEqual(
        result.ips.map((ip) => ip.version),
        ['4', '6'],
      );
      assert.equal('mtu' in result.interfaces[1]!, false);
    });
  }

  it('of one family has the routes of that family alone', () => {
    const one = planAttachment(key, 'weft', { v6: address('fd00::7') }, 1364);
    const result = attachmentResult('1.1.0', one, '/a', {}, undefined);
    assert.deepEqual(result.routes, [routes[1]]);
    assert.equal(result.ips.length, 1);
  });

  it('keeps all of a prevResult, also what it does not know, and counts interfaces on', () => {
    const previous = {
      cniVersion: '1.0.0',
      interfaces: [{ name: 'a', extra: 1 }, { name: 'b' }],
      ips: [{ address: '192.0.2.1/24', interface: 0 }],
      routes: [{ dst: '192.0.2.0/24', mtu: 9000 }],
      dns: { nameservers: ['192.0.2.53'] },
      unknown: { kept: true },
    };
    const result = attachmentResult('1.0.0', both, '/a', {}, previous);
    assert.deepEqual(result.interfaces.slice(0, 2), previous.interfaces);
    assert.deepEqual(result.ips[0], previous.ips[0]);
    assert.equal(result.interfaces[Number(result.ips[2]?.interface)]?.name, 'eth0');
    assert.deepEqual(result.routes, [...previous.routes, ...routes]);
    assert.deepEqual(result.dns, previous.dns);
    assert.deepEqual(result.unknown, { kept: true });
  });

  it('prefers the dns of the config', () => {
    const result = attachmentResult('1.0.0', both, '/a', { domain: 'x' }, { dns: { domain: 'y' } });
    assert.deepEqual(result.dns, { domain: 'x' });
  });

  it('refuses a prevResult that it cannot carry on', () => {
    const many = Array.from({ length: 257 }, () => ({}));
    for (const previous of [
      7,
      'x',
      [],
      { ips: 7 },
      { interfaces: [7] },
      { routes: {} },
      { dns: [] },
      { ips: many },
    ]) {
      assert.throws(
        () => attachmentResult('1.0.0', both, '/a', {}, previous),
        (error) => error instanceof CniFault && error.code === 6,
        JSON.stringify(previous),
      );
    }
  });
});

describe('missingFromResult', () => {
  it('accepts the result that ADD gave, at every version', () => {
    for (const version of ['0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const) {
      assert.deepEqual(missingFromResult(attachmentResult(version, both, '/a', {}, undefined), both), []);
    }
  });

  it('names each address that is not there', () => {
    assert.deepEqual(missingFromResult({ ips: [{ address: '10.32.0.7/32' }] }, both), ['fd00::7/128']);
    assert.deepEqual(missingFromResult({}, both), ['10.32.0.7/32', 'fd00::7/128']);
  });

  it('needs a result', () => {
    for (const none of [undefined, null]) {
      assert.throws(
        () => missingFromResult(none, both),
        (error) => error instanceof CniFault && error.code === 7,
      );
    }
  });
});
