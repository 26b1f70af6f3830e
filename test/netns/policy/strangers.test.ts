import { POD_RANGES, PolicyCluster } from './policy-cluster.ts';

const BLUE = [{ namespaces: { matchLabels: { team: 'blue' } } }];
const GREEN = [{ namespaces: { matchLabels: { team: 'green' } } }];
const EVERYWHERE = [{ networks: ['0.0.0.0/0', '::/0'] }];

/** About all pods of x. */
function cnp(name: string, spec: object): object {
  const subject = { namespaces: { matchLabels: { team: 'red' } } };
  return {
    kind: 'ClusterNetworkPolicy',
    metadata: { name },
    spec: { tier: 'Admin', priority: 10, subject, ...spec },
  };
}

const rule = (action: string, from: object, more: object = {}): object => ({ action, from, ...more });
const out = (action: string, to: object, more: object = {}): object => ({ action, to, ...more });
const tcp = (number: number): object => ({ protocols: [{ tcp: { destinationPort: { number } } }] });
const named = { protocols: [{ destinationNamedPort: 'web' }] };

const DENY_X = {
  kind: 'NetworkPolicy',
  metadata: { namespace: 'x', name: 'deny' },
  spec: { podSelector: {}, policyTypes: ['Egress'] },
};
const ALLOW_X = {
  kind: 'NetworkPolicy',
  metadata: { namespace: 'x', name: 'allow' },
  spec: {
    podSelector: {},
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: [{ ipBlock: { cidr: '10.32.0.0/16' } }, { ipBlock: { cidr: 'fd00:77::/64' } }] }],
    egress: [{}],
  },
};

const DENY_BLUE = cnp('a', { ingress: [rule('Deny', BLUE)], egress: [out('Deny', BLUE)] });

/**
 * Beside those of the cluster there are two pods whose addresses the API does not tell: `far`, which is on another node,
 * and `z/late`, which hangs here and was let through, since no policy selects pods of z.
 */
describe('a pod whose address the API does not tell, with real packets:', () => {
  let cluster: PolicyCluster;

  before(async () => {
    cluster = await PolicyCluster.create();
    await cluster.node.addBeyond('far', { 4: '10.32.0.70', 6: 'fd00:77::70' });
    await cluster.addPod('z/late', 40, null);
  });

  after(() => cluster?.delete());

  it('is denied by a Deny that may mean it', async () => {
    await cluster.apply(DENY_BLUE);
    await cluster.check({
      'far > x/a TCP 80': 'ingress',
      'far > x/a ICMP': 'ingress',
      'z/late > x/a TCP 80': 'ingress',
      'x/a > far TCP 80': 'egress',
      'x/a > z/late UDP 80': 'egress',
    });
  });

  it('is denied by none that means addresses, nor at pods that none selects', async () => {
    await cluster.apply(DENY_BLUE, cnp('b', { egress: [out('Deny', [{ networks: ['198.51.100.0/24'] }])] }));
    await cluster.check({ 'far > z/a TCP 80': 'passes', 'z/a > far TCP 80': 'passes' });
    await cluster.apply(cnp('b', { egress: [out('Deny', [{ networks: ['198.51.100.0/24'] }])] }));
    await cluster.check({ 'x/a > far TCP 80': 'passes' });
  });

  it('is no node, nobody of the world, and no pod that is known', async () => {
    await cluster.apply(DENY_BLUE);
    await cluster.check({
      'there > x/a TCP 80': 'passes',
      'node > x/a TCP 80': 'passes',
      'x/a > node TCP 80': 'passes',
      'world > x/a TCP 80': 'passes',
      'z/a > x/a TCP 80': 'passes',
      'x/b > x/a TCP 80': 'passes',
      'y/r > x/a TCP 80': 'ingress',
    });
  });

  it('is denied only at the ports of the rule, and at any where it may have a port of that name', async () => {
    await cluster.apply(
      cnp('a', { ingress: [rule('Deny', BLUE, named)], egress: [out('Deny', BLUE, named)] }),
    );
    await cluster.check({
      'far > x/a TCP 80': 'ingress',
      'far > x/a TCP 81': 'passes',
      'x/a > far TCP 81': 'egress',
      'x/a > far UDP 81': 'egress',
      'x/a > far ICMP': 'passes',
    });
  });

  it('is accepted by no selector, and by an Accept of addresses that comes first', async () => {
    await cluster.apply(
      cnp('a', {
        ingress: [rule('Accept', GREEN), rule('Deny', BLUE)],
        egress: [out('Accept', EVERYWHERE, tcp(80)), out('Deny', BLUE)],
      }),
      DENY_X,
    );
    await cluster.check({
      'far > x/a TCP 80': 'ingress',
      'x/a > far TCP 80': 'passes',
      'x/a > far TCP 81': 'egress',
    });
  });

  it('is not let past a Deny by a Pass that may mean another', async () => {
    await cluster.apply(
      cnp('a', { ingress: [rule('Pass', GREEN), rule('Deny', BLUE)], egress: [out('Pass', GREEN)] }),
      ALLOW_X,
    );
    await cluster.check({
      'far > x/a TCP 80': 'ingress',
      'x/a > far TCP 80': 'passes',
      'z/late > x/a TCP 80': 'ingress',
    });
  });

  it('gets no more by an Accept of addresses than a Pass before it would leave it', async () => {
    const pass = cnp('a', { priority: 1, egress: [out('Pass', BLUE, tcp(80))] });
    const accept = cnp('b', { priority: 2, egress: [out('Accept', EVERYWHERE)] });
    await cluster.apply(pass, accept, DENY_X);
    await cluster.check({
      'x/a > far TCP 80': 'egress',
      'x/a > far TCP 81': 'passes',
      'x/a > y/r TCP 80': 'egress',
      'x/a > z/a TCP 80': 'passes',
      'x/a > world TCP 80': 'passes',
    });
  });

  it('is met by Baseline as by Admin', async () => {
    await cluster.apply(cnp('a', { tier: 'Baseline', ingress: [rule('Pass', GREEN), rule('Deny', BLUE)] }));
    await cluster.check({ 'far > x/a TCP 80': 'ingress', 'world > x/a TCP 80': 'passes' });
  });

  it('is judged by NetworkPolicies as before', async () => {
    await cluster.apply(ALLOW_X);
    await cluster.check({ 'far > x/a TCP 80': 'passes', 'x/a > far TCP 80': 'passes' });
  });

  it('is nobody special where weftd does not tell the ranges of pods, or tells others', async () => {
    await cluster.apply(DENY_BLUE);
    cluster.setPodRanges([]);
    await cluster.load();
    await cluster.check({ 'far > x/a TCP 80': 'passes' });
    cluster.setPodRanges(['10.99.0.0/16']);
    await cluster.load();
    await cluster.check({ 'far > x/a TCP 80': 'passes' });
    cluster.setPodRanges(POD_RANGES);
    await cluster.load();
    await cluster.check({ 'far > x/a TCP 80': 'ingress', 'z/late > x/a TCP 80': 'ingress' });
  });

  it('is whoever it is, once that is told', async () => {
    await cluster.apply(DENY_BLUE);
    cluster.putPod('z/far', {}, {}, 'there', ['10.32.0.70', 'fd00:77::70']);
    cluster.putPod('z/late', {});
    await cluster.load();
    await cluster.check({
      'far > x/a TCP 80': 'passes',
      'x/a > far TCP 80': 'passes',
      'z/late > x/a TCP 80': 'passes',
    });
    cluster.dropPod('z/far');
    await cluster.load();
    await cluster.check({ 'far > x/a TCP 80': 'ingress' });
  });
});
