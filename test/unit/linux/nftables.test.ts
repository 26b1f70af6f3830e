import assert from 'node:assert/strict';
import { parseCidr } from '../../../base/range.ts';
import { renderRemoval, renderRules } from '../../../linux/nftables.ts';

const rules = { tun: 'weft0', podPrefix: 'wv', ranges: [parseCidr('10.32.0.0/12')!], masquerade: true };

describe('the packet rules', () => {
  it('replace the whole table and no other, in one batch', () => {
    const lines = renderRules(rules).split('\n');
    assert.deepEqual(lines.slice(0, 3), ['table inet weft', 'delete table inet weft', 'table inet weft {']);
    assert.equal(renderRules(rules).match(/^table|^delete|flush/gm)?.length, 3);
    assert.equal(renderRemoval(), 'table inet weft\ndelete table inet weft\n');
  });

  it('hold every block of every range in the set of its family', () => {
    const ranges = [
      parseCidr('10.32.0.0/12')!,
      parseCidr('fd00:77::/64')!,
      { family: 4, start: 1n, end: 4n } as const,
    ];
    const text = renderRules({ ...rules, ranges });
    assert.match(text, /set pods4 \{.*elements = \{ 10\.32\.0\.0\/12, 0\.0\.0\.1\/32, 0\.0\.0\.2\/31 \}/);
    assert.match(text, /set pods6 \{.*elements = \{ fd00:77::\/64 \}/);
    assert.match(renderRules(rules), /set pods6 \{ type ipv6_addr; flags interval; auto-merge \}/);
  });

  it('drop before they count connections, and check both families alike', () => {
    const text = renderRules(rules);
    assert.match(text, /type filter hook prerouting priority raw;/);
    const drops = text.split('\n').filter((line) => line.endsWith('drop'));
    const of = (family: string): string[] =>
      drops.filter((line) => line.includes(` ${family} `)).map((line) => line.replace(/ip6?|pods[46]/g, ''));
    const specific = /127|::1/;
    assert.deepEqual(
      of('ip').filter((line) => !specific.test(line)),
      of('ip6').filter((line) => !specific.test(line)),
    );
  });

  it('masquerade what leaves the cluster only where that is wanted', () => {
    assert.match(renderRules(rules), /ip saddr @pods4 ip daddr != @pods4 masquerade/);
    assert.doesNotMatch(renderRules({ ...rules, masquerade: false }), /saddr @pods[46] .*masquerade/);
  });

  it('take no interface name that could say something else', () => {
    for (const tun of ['', 'a"b', 'a;b', 'a b', 'sixteen-letters-']) {
      assert.throws(() => renderRules({ ...rules, tun }), /interface names/);
    }
  });
});
