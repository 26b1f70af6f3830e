/**
 * `npm run test:policy-chaos [-- --minutes 10] [--seed S] [--grace-ms 2000]`: a lab with policies enforced, in which
 * everything changes at random for that long: pods, labels, policies of both kinds, namespaces; addresses are so few that
 * they are dealt out again; weft-npc and weftd are killed, stopped and deleted, the table is flushed, nodes are powered
 * off. Agents in the pods send to each other all the time. No packet may pass that must not, once a change has had its grace; at the end
 * everything that must pass has to. The last line is "N passed, N failed".
 */

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { randomBelow } from '../../../base/random.ts';
import { seededRandom } from '../../seeded-random.ts';
import { installClusterPolicyKind } from '../harness/cluster-policy-kind.ts';
import { LOG_FOLDER } from '../harness/paths.ts';
import { WeftLab } from '../weft-lab.ts';
import { PodWatch } from './pod-watch.ts';
import { PolicyChurn } from './policy-churn.ts';
import { PolicyFaults } from './policy-faults.ts';
import { AGENT_PORTS, type Breach, PolicyProber } from './policy-prober.ts';
import { History, PolicyTruth } from './policy-truth.ts';

/** 30 addresses, of which three are the nodes' and two those of DNS. */
const RANGE = '10.32.0.0/27';
const RANGE6 = 'fd00:32::/120';
const FIXED_TARGETS = Array.from({ length: 30 }, (_, i) => `10.32.0.${i + 1}`);
const MAX_PODS = 14;
/** What is kept as evidence. */
const KINDS = 'networkpolicies,clusternetworkpolicies,pods,namespaces';
/** Of the changes; a fault is made after each so many of them. */
const PAUSE_MS = 700;
const CHANGES_A_FAULT = 12;
/** Breaches with no more time than this between them have one cause. */
const EPISODE_GAP_MS = 5_000;
const READ_EVERY_MS = 500;
/** How long everything has to come right at the end. */
const SETTLE_MS = 60_000;
const SHOWN_BREACHES = 20;
/** Of a packet that was forbidden it is told whether it would have been allowed with one of these graces. */
const GRACES_MS = [2_250, 2_500, 3_000, 4_000, 6_000, 10_000, 20_000, 60_000];
/** After so long addresses must have been dealt out again. */
const LONG_MINUTES = 5;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'grace-ms': { type: 'string', default: '2000' },
    'no-faults': { type: 'boolean', default: false },
  },
});
const [minutes, seed, graceMs] = [values.minutes, values.seed, values['grace-ms']].map(Number) as [
  number,
  number,
  number,
];
if (![minutes, seed, graceMs].every((value) => value >= 0)) throw new Error('numbers are wanted');
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const random = seededRandom(seed);

const weft = await WeftLab.up({ env: { IPALLOC_RANGE: RANGE, IPALLOC_RANGE6: RANGE6 } });
const { lab } = weft;
const truth = new PolicyTruth(graceMs);
const uidByKey = new Map<string, string>();
const churn: PolicyChurn = new PolicyChurn(lab, {
  truth,
  random,
  maxPods: MAX_PODS,
  podOf: (key) => prober.find(uidByKey.get(key) ?? ''),
});
const prober = new PolicyProber(lab, truth, FIXED_TARGETS, (namespace, at) =>
  churn.isUncertain(namespace, at),
);
const faults = new PolicyFaults(weft, truth, random);

const watch = new PodWatch(lab.controlPlane.machine, 'app=policy-chaos', ({ type, pod }) => {
  const { uid, name, namespace = '' } = pod.metadata;
  const key = `${namespace}/${name}`;
  if (prober.find(uid) === undefined) {
    const role = churn.pods.get(key)?.role ?? pod.spec.containers[0].name;
    prober.add({
      ...{ uid, namespace, name, node: pod.spec.nodeName, role: new History<string>(role) },
      deletedAt: Number.POSITIVE_INFINITY,
    });
  }
  const known = prober.find(uid)!;
  const addresses: { ip: string }[] = pod.status?.podIPs ?? [];
  prober.setAddresses(
    uid,
    addresses.map(({ ip }) => ip),
    Date.now(),
  );
  if (type === 'DELETED') {
    known.deletedAt = Math.min(known.deletedAt, Date.now());
    truth.gone(known, Date.now());
    uidByKey.delete(key);
  } else uidByKey.set(key, uid);
});

/** Reads on, and says what should not have come. */
async function look(): Promise<void> {
  prober.keep(uidByKey.values(), Date.now());
  prober.tellTargets(Date.now());
  const fresh = prober.read();
  if (fresh.length === 0) return;
  const before = prober.breaches.length - fresh.length;
  for (const breach of fresh.slice(0, Math.max(0, SHOWN_BREACHES - before)))
    console.log(`${told(breach)}; ${churn.lastChanges.join('; ')}`);
  if (before === 0) await keepEvidence(fresh[0]!);
}

function told(breach: Breach): string {
  const { at, kind, from, to, port, address } = breach;
  const name = ({ namespace, name: own, node, role }: Breach['from']): string =>
    `${namespace}/${own} (${node}, ${role.last})`;
  const when = new Date(at).toISOString();
  const graceNeededMs = truth.graceNeeded(breach, GRACES_MS);
  const late = Number.isFinite(graceNeededMs)
    ? `allowed with a grace of ${graceNeededMs / 1000} s`
    : 'never allowed';
  return `FORBIDDEN ${when} ${kind} ${name(from)} ${address} -> ${name(to)} port ${port}; ${late}; ${faults.last}`;
}

/** One line for all breaches that came close together: how many, when, between which nodes, and how late what forbids them was. */
function episodes(): string[] {
  const found: Breach[][] = [];
  for (const breach of [...prober.breaches].sort((a, b) => a.at - b.at)) {
    const last = found.at(-1);
    if (last !== undefined && breach.at - last.at(-1)!.at < EPISODE_GAP_MS) last.push(breach);
    else found.push([breach]);
  }
  return found.map((breaches) => {
    const [first, last] = [breaches[0]!, breaches.at(-1)!];
    const graces = breaches.map((each) => truth.graceNeeded(each, GRACES_MS));
    const ways = [...new Set(breaches.map(({ from, to }) => `${from.node} to ${to.node}`))].sort();
    const lasted = Math.round(last.at - first.at);
    const worst = breaches[graces.indexOf(Math.max(...graces))]!;
    return `${breaches.length} from ${new Date(first.at).toISOString()} on, for ${lasted} ms, ${ways.join(', ')}; the worst: ${told(worst)}`;
  });
}

/** What was loaded on both nodes when the first packet passed that must not. */
async function keepEvidence({ from, to }: Breach): Promise<void> {
  for (const node of new Set([from.node, to.node])) {
    const { stdout } = await lab
      .node(node)
      .run(['nft', 'list', 'table', 'inet', 'weft-npc'], { mayFail: true });
    writeFileSync(`${LOG_FOLDER}/policy-chaos-${node}.nft`, stdout);
  }
  const policies = await lab.kubectl.run(['get', KINDS, '-A', '-o', 'yaml']);
  writeFileSync(`${LOG_FOLDER}/policy-chaos.yaml`, policies.stdout);
}

/** Everything that a breach may be understood by, a line each. */
function keepHistory(): void {
  const breaches = prober.breaches.map((each) => {
    const { from, to, ...packet } = each;
    const [sender, receiver] = [from, to].map(({ namespace, name, node }) => `${node} ${namespace}/${name}`);
    return { ...packet, sender, receiver, graceNeededMs: truth.graceNeeded(each, GRACES_MS) };
  });
  for (const [name, lines] of Object.entries({ changes: churn.requests, breaches, faults: faults.spans })) {
    const text = lines.map((each) => `${JSON.stringify(each)}\n`).join('');
    writeFileSync(`${LOG_FOLDER}/policy-chaos-${name}.jsonl`, text);
  }
}

/** What must pass and has not since a time; and how many ways there are of either kind. */
function overdue(since: number): {
  readonly missing: string[];
  readonly must: number;
  readonly mustNot: number;
} {
  const pods = [...uidByKey.values()].flatMap((uid) => prober.find(uid) ?? []);
  const ways = pods.flatMap((from) =>
    pods
      .filter((to) => to !== from)
      .flatMap((to) =>
        AGENT_PORTS.flatMap((port) =>
          prober.addressesOf(from).map((address) => ({ from, to, port, address })),
        ),
      ),
  );
  const must = ways.filter(({ from, to, port }) => truth.permitsNow(from, to, port));
  const missing = must
    .filter(({ from, to, port, address }) => !prober.cameSince(from, to, port, address, since))
    .map(
      ({ from, to, port, address }) =>
        `${from.namespace}/${from.name} (${from.node}) ${address} -> ${to.namespace}/${to.name} (${to.node}) port ${port}`,
    );
  return { missing, must: must.length, mustNot: ways.length - must.length };
}

let passed = 0;
let failed = 0;
function check(what: string, faultsFound: readonly string[]): void {
  if (faultsFound.length === 0) passed++;
  else failed++;
  console.log(`${faultsFound.length === 0 ? 'ok    ' : 'FAILED'} ${what}`);
  for (const each of faultsFound.slice(0, SHOWN_BREACHES)) console.log(`       ${each}`);
}

try {
  await installClusterPolicyKind(lab, 'experimental');
  console.log(`seed ${seed}, ${minutes} minutes, grace ${graceMs} ms`);
  await faults.begin();
  await churn.begin();
  prober.tellTargets(Date.now());
  void watch.run();
  let reading = true;
  const reader = (async () => {
    while (reading) {
      await look();
      await pause(READ_EVERY_MS);
    }
  })();
  const end = Date.now() + minutes * 60_000;
  for (let changes = 1; Date.now() < end; changes++) {
    await churn.step(faults.nodesThatAreOn);
    if (!values['no-faults'] && changes % CHANGES_A_FAULT === 0) await faults.make(end - Date.now());
    await pause(PAUSE_MS / 2 + randomBelow(random, PAUSE_MS));
  }
  await faults.end();
  await churn.fill(faults.nodesThatAreOn);
  const quiet = Date.now();
  let final = overdue(quiet);
  while (Date.now() < quiet + SETTLE_MS) {
    await pause(2_000);
    final = overdue(Date.now() - 5_000);
    if (final.missing.length === 0 && uidByKey.size === churn.pods.size) break;
  }
  reading = false;
  await reader;
  await look();
  keepHistory();
  console.log(JSON.stringify({ changes: churn.counts, faults: faults.counts, packets: prober.counts }));
  console.log(`at the end ${final.must} ways that must pass, ${final.mustNot} that must not`);
  check(`no packet passed that must not: ${prober.breaches.length} of ${prober.counts.judged}`, episodes());
  check(
    `addresses were dealt out again: ${prober.dealtAgain} of ${prober.dealt}`,
    minutes >= LONG_MINUTES && prober.dealtAgain === 0 ? ['none was'] : [],
  );
  check(
    'packets were judged in numbers, and there were ways of both kinds',
    prober.counts.judged < 1_000 || final.must === 0 || final.mustNot === 0 ? ['too few'] : [],
  );
  check('everything that was broken works again', faults.failures);
  check('everything that must pass does', final.missing);
  check(
    'every pod that was asked for is there',
    [...churn.pods.keys()].filter((key) => !uidByKey.has(key)),
  );
} finally {
  watch.end();
  await lab.down();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
