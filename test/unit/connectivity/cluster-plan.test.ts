import { deepEqual, equal, ok } from 'node:assert/strict';
import { type Check, type Outcome, readOutcome } from '../../../connectivity/check.ts';
import { readImage, readPod, readService, readWeftNodes } from '../../../connectivity/cluster-facts.ts';
import {
  allowedChecks,
  type ClusterPlanFacts,
  clientChecks,
  readLog,
} from '../../../connectivity/cluster-plan.ts';
import { outcomeFinding } from '../../../connectivity/outcome-finding.ts';
import { watcherPod } from '../../../connectivity/workload-objects.ts';

const FACTS: ClusterPlanFacts = {
  near: { name: 'n1', addresses: ['192.0.2.1', '2001:db8::1'] },
  far: { name: 'n2', addresses: ['192.0.2.2'] },
  addressesOf: { near: ['10.32.0.1', 'fd00::1'], far: ['10.36.0.1', 'fd00::2'], guarded: ['10.36.0.2'] },
  service: { addresses: ['10.96.0.9'], nodePort: 31_000 },
  outside: [{ address: '203.0.113.1', port: 443 }],
  marker: 'ab',
};
const names = (checks: readonly Check[]): string[] => checks.map(({ name }) => name);

describe('the plan of a test in a cluster', () => {
  it('tries everything in each family, under a name that is the same at every run', () => {
    deepEqual(names(clientChecks(FACTS)), [
      'mark',
      ...['IPv4', 'IPv6'].flatMap((family) =>
        ['TCP', 'UDP', '1 MB', 'largest packet'].map((what) => `pod to pod of its node, ${family}, ${what}`),
      ),
      ...['IPv4', 'IPv6'].flatMap((family) =>
        ['TCP', 'UDP', '1 MB', 'largest packet'].map(
          (what) => `pod to pod of another node, ${family}, ${what}`,
        ),
      ),
      'pod to its node, IPv4',
      'pod to its node, IPv6',
      'pod to another node, IPv4',
      'Service, IPv4, TCP',
      'Service, IPv4, UDP',
      'NodePort of n1, IPv4',
      'NodePort of n2, IPv4',
      'DNS, the API',
      'DNS, a Service',
      'outside, IPv4, 203.0.113.1',
      'policy keeps others out, IPv4',
    ]);
    deepEqual(allowedChecks(FACTS), [
      { name: 'policy lets its pod in, IPv4', what: { kind: 'tcp', to: '10.36.0.2', port: 8080 } },
    ]);
    equal(new Set(names(clientChecks(FACTS))).size, clientChecks(FACTS).length);
  });

  it('leaves out what a cluster of one node has not', () => {
    const alone = clientChecks({
      ...FACTS,
      far: undefined,
      marker: undefined,
      service: undefined,
      outside: [],
    });
    deepEqual(
      names(alone).filter((name) => /another|mark|Service,|NodePort|outside/.test(name)),
      [],
    );
    ok(names(alone).includes('pod to pod of its node, IPv4, TCP'));
  });
});

describe('the log of a client', () => {
  it('has an outcome in each line that is one', () => {
    const outcome: Outcome = { name: 'a', isWell: true, seen: 'b' };
    const log = [JSON.stringify(outcome), 'null', '{"name":1}', '(node:1) Warning', '', '{"na'].join('\n');
    deepEqual(readLog(log, readOutcome), { outcomes: [outcome], isDone: false });
    equal(readLog(`${log}\n{"done":true}\n`, readOutcome).isDone, true);
  });
});

describe('what a test reads of the API', () => {
  it('is empty where the API says something else', () => {
    for (const value of [undefined, null, [], 'x', { spec: 1, status: [] }]) {
      equal(readImage(value), undefined);
      equal(readPod(value), undefined);
      deepEqual(readService(value), { addresses: [], nodePort: undefined });
      deepEqual(readWeftNodes([value]), []);
    }
  });

  it('says why a pod does not run', () => {
    const metadata = { name: 'far', namespace: 'weft-test', uid: 'u', resourceVersion: '1' };
    const waiting = { reason: 'ErrImageNeverPull', message: 'no such image' };
    const status = { phase: 'Pending', containerStatuses: [{ state: { waiting } }] };
    equal(readPod({ metadata, status })?.waitsFor, 'ErrImageNeverPull: no such image');
  });
});

describe('outcomeFinding', () => {
  const asked = { source: 'weft-test/client', node: 'n1' };
  const check = (what: Check['what']): Check => ({ name: 'x', what });
  const remedy = (what: Check['what']): string | undefined =>
    outcomeFinding(check(what), { name: 'x', isWell: false, seen: 'no' }, asked).remedy;

  it('says what to ask next', () => {
    const at = { to: '10.0.0.1', port: 80 };
    equal(remedy({ kind: 'tcp', ...at }), "ask 'weft why weft-test/client 10.0.0.1 80' on n1");
    equal(remedy({ kind: 'udp', ...at }), "ask 'weft why weft-test/client 10.0.0.1 80/udp' on n1");
    for (const what of [
      { kind: 'size', ...at },
      { kind: 'size-one-way', to: at.to },
      { kind: 'closed', ...at },
      { kind: 'name', name: 'a' },
      { kind: 'mark', to: [], marker: '' },
    ] as const)
      ok(remedy(what)!.length > 10, what.kind);
  });

  it('is a fault where it was not tried at all', () => {
    equal(outcomeFinding(check({ kind: 'name', name: 'a' }), undefined, asked).verdict, 'fault');
    equal(
      outcomeFinding(check({ kind: 'name', name: 'a' }), { name: 'x', isWell: true, seen: 'b' }, asked)
        .verdict,
      'ok',
    );
  });
});

describe('the pod that watches', () => {
  it('has NET_RAW and no other capability', () => {
    const own = { tun: 'weft0', podPrefix: 'wv' };
    const pod = JSON.stringify(
      watcherPod({ role: 'watcher', node: 'n1', image: 'i' }, { marker: 'ab', own, seconds: 9 }),
    );
    ok(
      pod.includes('"capabilities":{"drop":["ALL"],"add":["NET_RAW"]}') && pod.includes('"hostNetwork":true'),
    );
    ok(pod.includes('["/weft/connectivity/agent.ts","watch","ab","weft0","wv","9"]'));
  });
});
