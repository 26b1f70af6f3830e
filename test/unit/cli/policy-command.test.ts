import { deepEqual, equal, match } from 'node:assert/strict';
import { Command } from 'commander';
import { WeftError } from '../../../base/weft-error.ts';
import { addPolicyCommands, type PolicyWorld } from '../../../cli/policy-command.ts';
import type { NpcResults } from '../../../control/npc-request.ts';

const STATUS: NpcResults['policyStatus'] = {
  node: 'n1',
  version: '0.1.0',
  copy: {
    complete: true,
    forS: 17,
    kinds: [
      { kind: 'pods', version: 'v1', complete: true, objects: 12 },
      { kind: 'clusternetworkpolicies', version: null, complete: true, objects: 0 },
    ],
  },
  loaded: { pods: 2, sets: 4, chains: 9, rules: 21, lastApplyMs: 12.4, applyP99Ms: 40.2 },
  attached: 5,
  waiting: [{ link: 'wv0123456789a', pod: null, reason: 'the API does not know it' }],
  addsWaitedMs: 1234,
  counters: {
    'npc.loaded': 1,
    'policy.dropEgress': 3,
    'policy.dropIngress': 4,
    'gate.dropForwarded': 5,
    'gate.dropInput': 6,
  },
  unhonoured: [{ policy: 'NetworkPolicy a/b', reasons: ['one', 'two\u001b[2J'] }],
  problems: [{ code: 'E_X', severity: 'error', message: 'it is broken', remedy: 'mend it' }],
};
const EXPLANATION: NpcResults['policyExplain'] = {
  source: { text: 'a/client', pod: 'a/client', node: 'n1', addresses: ['10.32.0.5'] },
  destination: { text: '10.32.0.6', pod: 'a/web', node: 'n2', addresses: ['10.32.0.6'] },
  protocol: 'TCP',
  port: 80,
  passes: false,
  egress: { passes: true, because: 'no policy selects the pod', rule: null, selecting: [] },
  ingress: {
    passes: false,
    because: 'rule 0 of ClusterNetworkPolicy wall denies it',
    rule: { policy: 'ClusterNetworkPolicy wall', index: 0, name: 'none' },
    selecting: [
      { policy: 'ClusterNetworkPolicy wall', tier: 'Admin' },
      { policy: 'NetworkPolicy a/open', tier: 'NetworkPolicy' },
    ],
  },
  unhonoured: [],
};

describe('weft policy', () => {
  let asked: unknown[];
  let out: string;
  let answer: unknown;
  const world: PolicyWorld = {
    ask: (runDir, request) => {
      asked.push([runDir, request]);
      return Promise.resolve(answer as never);
    },
    readText: (path) => `text of ${path}`,
  };
  const run = async (...argv: string[]): Promise<void> => {
    const program = new Command('policy').exitOverride().configureOutput({ writeErr: () => {} });
    addPolicyCommands(program, world, {
      runDir: () => '/run/x',
      print: (result, format) => {
        out += format(result);
      },
    });
    for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
    await program.parseAsync(argv, { from: 'user' });
  };
  beforeEach(() => {
    [asked, out] = [[], ''];
  });

  it('shows what is loaded, what waits and what cannot be honoured, and nothing that steers a terminal', async () => {
    answer = STATUS;
    await run('status');
    deepEqual(asked, [['/run/x', { op: 'policyStatus' }]]);
    match(out, /^warning {3}it is broken; mend it$/m);
    match(out, /^copy {6}complete, for 17 s$/m);
    match(
      out,
      /policies for 2 pods, as 21 rules in 9 chains and 4 sets; the last change took 12 ms, 99 of 100 at most 40 ms/,
    );
    match(out, /^dropped {3}packets: 3 egress, 4 ingress, 0 of no known connection, 11 at the gate$/m);
    match(out, /^attached {2}5 pods, 1 of them wait; starts of pods waited 1\.2 s in all$/m);
    match(out, /^clusternetworkpolicies {2}not served/m);
    match(out, /^wv0123456789a {2}unknown {2}the API does not know it$/m);
    match(out, /^NetworkPolicy a\/b {2}one$/m);
    equal(out.includes('\u001b'), false);
  });

  it('says plainly that nothing is loaded while the copy is not complete', async () => {
    answer = {
      ...STATUS,
      loaded: null,
      addsWaitedMs: null,
      copy: { complete: false, forS: null, kinds: [] },
    };
    await run('status');
    match(out, /not complete yet: nothing that is loaded is changed/);
    match(out, /^loaded {4}nothing yet$/m);
    match(out, /^attached {2}5 pods, 1 of them wait$/m);
  });

  it('explains where a connection is dropped, and which policy decides', async () => {
    answer = EXPLANATION;
    await run('explain', 'a/client', '10.32.0.6', '80/tcp', '--with', 'new.yaml');
    const question = {
      source: 'a/client',
      destination: '10.32.0.6',
      port: '80/tcp',
      with: 'text of new.yaml',
    };
    deepEqual(asked, [['/run/x', { op: 'policyExplain', ...question }]]);
    match(out, /^A connection to TCP port 80 is dropped where it reaches a\/web\.$/m);
    match(out, /^to {7}10\.32\.0\.6, pod a\/web on n2$/m);
    match(out, /^ingress {2}denied: rule 0 of ClusterNetworkPolicy wall denies it \(rule none\)$/m);
    match(out, /Admin +ClusterNetworkPolicy wall {2}<- decides$/m);
    match(out, /NetworkPolicy {2}NetworkPolicy a\/open$/m);
  });

  for (const port of ['0', '65536', 'http', '80/icmp', '80/tcp/x', '']) {
    it(`refuses the port '${port}' before it asks anybody`, async () => {
      const error = await run('explain', 'a/b', 'a/c', port).catch((cause: unknown) => cause);
      equal(error instanceof WeftError && error.code, 'E_USAGE');
      deepEqual(asked, []);
    });
  }
});
