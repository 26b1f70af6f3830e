import assert from 'node:assert/strict';
import { PolicyCluster } from './policy-cluster.ts';

const np = (key: string, spec: object): object => {
  const [namespace, name] = key.split('/') as [string, string];
  return { kind: 'NetworkPolicy', metadata: { namespace, name }, spec: { podSelector: {}, ...spec } };
};
const FROM_Y = np('x/p', { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }] }] });
const DENY_X = np('x/deny', { policyTypes: ['Ingress', 'Egress'] });

/** How pods come and go while policies judge their packets. */
describe('a pod under policies', () => {
  let cluster: PolicyCluster;

  beforeEach(async () => {
    cluster = await PolicyCluster.create();
  });

  afterEach(() => cluster?.delete());

  it('is closed from its first packet on, until it is known, but for what its node asks of it', async () => {
    await cluster.apply(DENY_X);
    await cluster.addPod('x/new', 12, null);
    await cluster.load();
    const before = await cluster.dropped();
    const [own, other] = [cluster.address('x/new', 4), cluster.address('y/a', 4)];
    assert.equal(await cluster.prober('x/new').tcp(other, 80, 100), 'silent');
    assert.equal(await cluster.prober('x/new').udp(cluster.address('node', 6), 80, 100), 'silent');
    assert.equal(await cluster.prober('y/a').udp(own, 80, 100), 'silent');
    assert.equal((await cluster.dropped()).gate - before.gate, 3);
    assert.equal(await cluster.prober('node').tcp(own, 80, 10_000), 'ok');
    cluster.putPod('x/new', { app: 'new' });
    await cluster.load();
    await cluster.check({
      'x/new > y/a TCP 80': 'egress',
      'y/a > x/new TCP 80': 'ingress',
      'node > x/new TCP 80': 'passes',
    });
  });

  it('is a peer at once, without an address in the API', async () => {
    await cluster.apply(FROM_Y);
    await cluster.addPod('y/new', 22, {});
    await cluster.load();
    await cluster.check({ 'y/new > x/a TCP 80': 'passes', 'z/a > x/a TCP 80': 'ingress' });
  });

  it('that was deleted by force stays isolated until its link is gone, and is no peer', async () => {
    await cluster.apply(DENY_X, FROM_Y, np('y/p', { ingress: [{ from: [{ namespaceSelector: {} }] }] }));
    await cluster.check({
      'y/a > x/a TCP 80': 'passes',
      'z/a > x/a TCP 80': 'ingress',
      'z/a > y/a TCP 80': 'passes',
    });
    cluster.dropPod('x/a');
    cluster.dropPod('y/a');
    await cluster.load();
    const drops = await cluster.dropped();
    const [x, y, z] = ['x/a', 'y/a', 'z/a'].map((name) => cluster.address(name, 4)) as [
      string,
      string,
      string,
    ];
    assert.equal(await cluster.prober('z/a').tcp(x, 80, 100), 'silent', 'still isolated for ingress');
    assert.equal(await cluster.prober('x/a').tcp(z, 80, 100), 'silent', 'and for egress');
    assert.equal(await cluster.prober('y/a').tcp(x, 80, 100), 'silent', 'no peer of others');
    assert.equal(await cluster.prober('z/a').tcp(y, 80, 10_000), 'ok', 'under its last rules');
    const after = await cluster.dropped();
    assert.deepEqual([after.ingress - drops.ingress, after.egress - drops.egress], [2, 1]);
  });

  it('that gets the address of one that is gone inherits nothing', async () => {
    await cluster.apply(DENY_X, FROM_Y);
    await cluster.detachPod('y/a');
    await cluster.detachPod('x/b');
    await cluster.addPod('z/b', 20, {}); // y/a's address, while the API still has y/a there
    await cluster.addPod('z/c', 11, {}); // x/b's
    cluster.putPod('y/a', { app: 'a' }, {}, 'here', ['10.32.0.20', 'fd00:77::14']);
    await cluster.load();
    await cluster.check({
      'z/b > x/a TCP 80': 'ingress',
      'z/a > z/c TCP 80': 'passes',
      'z/c > world TCP 80': 'passes',
    });
    cluster.dropPod('y/a');
    cluster.dropPod('x/b');
    await cluster.load();
    await cluster.check({ 'z/b > x/a TCP 80': 'ingress', 'z/a > z/c TCP 80': 'passes' });
  });

  it('that has ended has no address any more', async () => {
    await cluster.apply(FROM_Y);
    cluster.putPod('y/r', { app: 'a' }, {}, 'there', ['10.32.0.60', 'fd00:77::60'], 'Succeeded');
    cluster.putPod('z/next', {}, {}, 'there', ['10.32.0.60', 'fd00:77::60']);
    await cluster.load();
    await cluster.check({ 'y/r > x/a TCP 80': 'ingress', 'y/a > x/a TCP 80': 'passes' });
  });

  it('that is made again under its name, in a gap of the watch, is another one', async () => {
    await cluster.apply(FROM_Y);
    await cluster.check({ 'y/a > x/a TCP 80': 'passes' });
    cluster.replacePod('y/a', 'uid-next');
    await cluster.load();
    const [y, x] = [cluster.address('y/a', 4), cluster.address('x/a', 4)];
    const before = await cluster.dropped();
    assert.equal(await cluster.prober('y/a').tcp(x, 80, 100), 'silent', 'the old sandbox is no peer');
    assert.equal((await cluster.dropped()).ingress - before.ingress, 1);
    assert.equal(await cluster.prober('z/a').tcp(y, 80, 10_000), 'ok');
  });
});
