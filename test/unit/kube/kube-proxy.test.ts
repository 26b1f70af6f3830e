import { deepEqual, equal, match } from 'node:assert/strict';
import { parseCidr } from '../../../base/range.ts';
import { type Warning, warningLine } from '../../../base/warning.ts';
import { kubeProxyWarning, podCidrWarning, readKubeProxyConfig } from '../../../kube/kube-proxy.ts';

const RANGES = [parseCidr('10.32.0.0/12')!, parseCidr('fd00:1::/64')!];
const answer = (config: Record<string, unknown>): unknown => ({ 'kubeproxy.config.k8s.io': config });
const line = (warning: Warning | undefined): string | undefined => warning && warningLine(warning);
const warning = (config: Record<string, unknown>): string | undefined =>
  line(kubeProxyWarning(readKubeProxyConfig(answer(config))!, RANGES, 'wv'));

describe('readKubeProxyConfig', () => {
  it('takes nothing from what is no configuration of a kube-proxy', () => {
    for (const value of [undefined, null, 7, [], {}, answer(7 as never), { kubelet: {} }])
      equal(readKubeProxyConfig(value), undefined);
    deepEqual(
      readKubeProxyConfig(answer({ mode: 7, clusterCIDR: 7, detectLocalMode: null, detectLocal: 'x' })),
      {
        mode: '',
        detectLocalMode: 'ClusterCIDR',
        clusterCidrs: [],
        interfaceNamePrefix: '',
      },
    );
  });
});

describe('kubeProxyWarning', () => {
  for (const [why, config] of [
    ['takes nobody for a stranger', { detectLocalMode: 'ClusterCIDR', clusterCIDR: '' }],
    ['has the pod range', { clusterCIDR: '10.32.0.0/12' }],
    ['has a range around it', { clusterCIDR: '10.0.0.0/8,fd00::/16' }],
    ['has a range of the other family only', { clusterCIDR: 'fd00:1::/64' }],
    [
      "knows Weft's interfaces",
      { detectLocalMode: 'InterfaceNamePrefix', detectLocal: { interfaceNamePrefix: 'wv' } },
    ],
    ['has a mode that nobody knows', { detectLocalMode: 'Later' }],
  ] as const) {
    it(`has nothing to say where kube-proxy ${why}`, () => equal(warning(config), undefined));
  }

  for (const [why, config, told] of [
    [
      'another range',
      { clusterCIDR: '10.244.0.0/16' },
      /only 10\.244\.0\.0\/16 .*does not hold 10\.32\.0\.0\/12: /,
    ],
    ['a part of it', { clusterCIDR: '10.32.0.0/16' }, /does not hold 10\.32\.0\.0\/12/],
    ['one family of two', { clusterCIDR: '10.32.0.0/12,fd00:2::/64' }, /does not hold fd00:1::\/64/],
    ['node ranges', { detectLocalMode: 'NodeCIDR' }, /podCIDR .*set detectLocalMode to ClusterCIDR/],
    [
      'other interfaces',
      { detectLocalMode: 'InterfaceNamePrefix', detectLocal: { interfaceNamePrefix: 'cali' } },
      /'cali…'.*Weft's are 'wv…'/,
    ],
  ] as const) {
    it(`warns where kube-proxy has ${why}, and says what to set`, () => {
      match(warning(config)!, told);
      match(warning(config)!, /--cluster-cidr=10\.32\.0\.0\/12,fd00:1::\/64/);
    });
  }
});

describe('podCidrWarning', () => {
  const node = (name: string, ...podCidrs: string[]) => ({ name, podCidrs });

  it('names a node whose podCIDR is outside of the pod range', () => {
    equal(
      podCidrWarning([node('n1'), node('n2', '10.33.0.0/24', 'fd00:1::/80'), node('n3', 'x')], RANGES),
      undefined,
    );
    match(
      line(podCidrWarning([node('n1', '10.33.0.0/24'), node('n2', '10.244.1.0/24')], RANGES))!,
      /node n2 has the podCIDR 10\.244\.1\.0\/24, which is outside of the pod range 10\.32\.0\.0\/12 and/,
    );
  });

  it('says nothing of a family in which Weft has no range', () => {
    equal(podCidrWarning([node('n1', 'fd00:2::/64')], RANGES.slice(0, 1)), undefined);
  });
});
