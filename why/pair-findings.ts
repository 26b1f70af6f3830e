import { formatAddress } from '../base/address.ts';
import { printable } from '../base/printable.ts';
import type { ExplainedDirection } from '../control/npc-request.ts';
import { type Finding, fault, fine, skipped, warning } from '../doctor/finding.ts';
import type { PairEnd, PairFacts } from './pair-facts.ts';

/**
 * What the facts about a pair mean, in the order in which a packet meets them. The name of each check is the station, the
 * same at every run.
 *
 * @param tunnel what `weft doctor` finds of the peer that has the target; undefined where the target is not on a peer.
 */
export function pairFindings(facts: PairFacts, tunnel: Finding | undefined): Finding[] {
  return [
    sourceFinding(facts),
    gateFinding(facts, facts.source, 'gate of the source'),
    ...policyFindings(facts, 'egress'),
    forwardingFinding(facts),
    routeFinding(facts),
    ...filterFindings(facts),
    ...(tunnel === undefined ? [] : [tunnelFinding(facts.target, tunnel)]),
    ...policyFindings(facts, 'ingress'),
    targetFinding(facts),
    gateFinding(facts, facts.target, 'gate of the target'),
  ].filter((finding) => finding !== undefined);
}

function sourceFinding({ source, nodeName }: PairFacts): Finding {
  const check = 'source';
  const address = formatAddress(source.address);
  if (source.place.is !== 'pod')
    return fault(
      check,
      `${address} is of no pod of ${nodeName}`,
      "take a pod from 'weft ipam' of its node, and see whether its address is the one that it was given",
    );
  return podFinding(check, source, source.place.local);
}

/** The interface of a pod of this node, and this node's route to it. */
function podFinding(
  check: string,
  { address }: PairEnd,
  { link, state, routedTo }: Extract<PairEnd['place'], { is: 'pod' }>['local'],
): Finding {
  const text = formatAddress(address);
  const anew = 'start the pod anew; weftd puts back what it can by itself';
  if (state === undefined) return fault(check, `the interface ${link} of ${text} is gone`, anew);
  if (!state.up) return fault(check, `the interface ${link} of ${text} is down`, `ip link set ${link} up`);
  if (routedTo === undefined)
    return fault(check, `no route of this node leads to ${text}`, `ip route add ${text} dev ${link}`);
  if (routedTo !== link) {
    const seen = `the route for ${text} leads to ${routedTo}, not to its interface ${link}: its packets count as sent by somebody else`;
    return fault(check, seen, `see 'ip route get ${text}' for who made that route, and remove it`);
  }
  return fine(check, `${text} on this node, by ${link}`);
}

function gateFinding({ decided }: PairFacts, { place }: PairEnd, check: string): Finding | undefined {
  if (decided === undefined || place.is !== 'pod') return undefined;
  const { link } = place.local;
  if (decided.has(link)) return fine(check, `open for ${link}`);
  return fault(
    check,
    `closed for ${link}: nobody has decided yet which policies hold for the pod`,
    "see 'weft policy status' for the reason, and whether weft-npc runs on this node",
  );
}

function policyFindings({ policy }: PairFacts, way: 'egress' | 'ingress'): Finding[] {
  const check = `${way} policy`;
  if (policy.is === 'not-enforced')
    return way === 'egress'
      ? [skipped('policies', 'not enforced: no weft-npc runs here, and weftd keeps no gate')]
      : [];
  if (policy.is === 'unknown') return way === 'egress' ? [skipped('policies', policy.why)] : [];
  const { explained } = policy;
  const direction = explained[way];
  const end = way === 'egress' ? explained.source : explained.destination;
  const whose = printable(end.pod ?? end.text);
  if (direction.passes) return [fine(check, `of ${whose}: ${decisionText(direction)}`)];
  const remedy =
    direction.rule === null
      ? `allow it by a rule of one of: ${namesOf(direction)}`
      : `change rule ${direction.rule.index} of ${printable(direction.rule.policy)}`;
  return [fault(check, `denied at ${whose}: ${decisionText(direction)}`, remedy)];
}

function decisionText({ because, rule }: ExplainedDirection): string {
  const named = rule === null || rule.name === '' ? '' : ` (${printable(rule.name)})`;
  return `${printable(because, 300)}${named}`;
}

function namesOf({ selecting }: ExplainedDirection): string {
  return selecting.map(({ policy }) => printable(policy)).join(', ');
}

function forwardingFinding({ forwarding, source }: PairFacts): Finding {
  const { family } = source.address;
  const check = 'forwarding';
  if (forwarding === '1') return fine(check, `IPv${family} is forwarded`);
  const setting = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
  if (forwarding === undefined) return skipped(check, `${setting} cannot be read`);
  const remedy = `run sysctl -w ${setting}=1, and see which program switches it off`;
  return fault(check, `IPv${family} forwarding is off on this node`, remedy);
}

/** What the kernel says of the way from the source's interface, and whether that is the way that Weft means. */
function routeFinding({ route, target, source, tun, masks, nodeName }: PairFacts): Finding | undefined {
  const check = 'route';
  const to = formatAddress(target.address);
  const mask = masks[0];
  if (route.is === 'unknown') return undefined;
  const look = `see 'ip route get ${to} from ${formatAddress(source.address)} iif IFACE' and 'ip rule'`;
  if (route.is === 'refused') {
    if (mask !== undefined) return fault(check, mask.message, mask.remedy);
    const why = REFUSALS[route.code] ?? 'the kernel has no route';
    return fault(check, `packets to ${to} go nowhere (${route.code}): ${why}`, look);
  }
  const { link, gateway } = route;
  const by = `${link}${gateway === undefined ? '' : ` via ${formatAddress(gateway)}`}`;
  const expected = expectedLink(target, tun);
  if (expected !== undefined && link !== expected) {
    const seen = `packets to ${to} leave ${nodeName} by ${by} instead of ${expected}`;
    if (mask !== undefined) return fault(check, `${seen}: ${mask.message}`, mask.remedy);
    return fault(check, seen, `${look}: keep that route out of the pod range`);
  }
  return fine(check, `to ${to} by ${by}`);
}

/** By which interface packets for the target leave this node, where that is certain. */
function expectedLink({ place }: PairEnd, tun: string): string | undefined {
  if (place.is === 'pod') return place.local.link;
  if (place.is === 'peer') return tun;
  return place.is === 'node' ? 'lo' : undefined;
}

const REFUSALS: Readonly<Record<string, string>> = {
  EHOSTUNREACH: 'unreachable, or nothing is forwarded',
  ENETUNREACH: 'no route leads there',
  EINVAL: 'a blackhole takes them, or the source cannot be one',
  EACCES: 'a route prohibits them',
  EXDEV: 'the way back to the source does not lead to its interface',
};

function filterFindings({ drops, unread }: PairFacts): Finding[] {
  const check = 'packet filters';
  const left = unread.map((program) =>
    skipped(check, `rules of ${program} are there, and ${program}-save cannot read them here`),
  );
  const found = drops.map(({ message, remedy }) => fault(check, message, remedy));
  if (found.length + left.length > 0) return [...found, ...left];
  return [fine(check, 'none of other programs drops all packets of pods')];
}

/** A peer that nobody hears is a warning to who looks at a node, and the end to who looks at a pair. */
function tunnelFinding({ place }: PairEnd, tunnel: Finding): Finding {
  const check = 'tunnel';
  const verdict =
    place.is === 'peer' && ['dead', 'left'].includes(place.peer.state) ? ('fault' as const) : tunnel.verdict;
  const suite = place.is === 'peer' && place.peer.suite !== null ? `, ${place.peer.suite}` : '';
  return { ...tunnel, check, verdict, seen: `${tunnel.check}: ${tunnel.seen}${suite}` };
}

function targetFinding({ target, policy, nodeName }: PairFacts): Finding {
  const check = 'target';
  const address = formatAddress(target.address);
  const known = policy.is === 'judged' ? policy.explained.destination.pod : target.pod;
  switch (target.place.is) {
    case 'pod':
      return podFinding(check, target, target.place.local);
    case 'node':
      return fine(check, `${address} is ${nodeName} itself`);
    case 'nobody': {
      const seen = `${address} is of the range of ${nodeName}, and no pod has it`;
      return fault(check, seen, "the pod is gone: take the address that it has now, see 'weft ipam'");
    }
    case 'peer': {
      const { name } = target.place.peer;
      if (known === null && policy.is === 'judged' && !target.place.peer.addresses.includes(address))
        return warning(
          check,
          `${address} is of the range of ${printable(name)}, and weft-npc knows no pod with it`,
          'take the address that the pod has now: kubectl get pod -o wide',
        );
      return fine(check, `${address} is of the range of ${printable(name)}`);
    }
    case 'outside':
      if (target.place.inRange)
        return fault(
          check,
          `${address} is of the pod range, and no node owns it`,
          "the pod is gone: take the address that it has now, see 'weft ipam'",
        );
      return fine(check, `${address} is of no pod: a Service, or outside of the cluster`);
  }
}
