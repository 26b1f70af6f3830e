import { type Finding, fault, fine, skipped } from './finding.ts';

/** How many packets with the marker each address gets. */
export const CANARIES = 3;

/** What a capture of one interface held. */
export interface CanaryCapture {
  /** Packets that were looked at. */
  readonly packets: number;
  /** Those that held the marker. */
  readonly matches: number;
}

/** Judges a canary: the marker must be in what went into the tunnel, and in nothing that left the host. */
export function canaryVerdict(facts: {
  readonly peers: readonly string[];
  readonly tun: string;
  /** How many packets were sent. */
  readonly sent: number;
  readonly captureByLink: ReadonlyMap<string, CanaryCapture>;
}): Finding {
  const { peers, tun, sent, captureByLink } = facts;
  const check = 'canary';
  const leaks = [...captureByLink].filter(([name, { matches }]) => name !== tun && matches > 0);
  if (leaks.length > 0) {
    const where = leaks.map(([name, { matches }]) => `${name} (${matches})`).join(', ');
    const seen = `packets for ${peers.join(', ')} left this host in clear by ${where}`;
    return fault(
      check,
      seen,
      "see 'ip route get ADDRESS' for who took them, and keep that route out of the pod range",
    );
  }
  const entered = captureByLink.get(tun)?.matches ?? 0;
  if (entered < sent)
    return fault(
      check,
      `${entered} of ${sent} packets for ${peers.join(', ')} went into ${tun}`,
      "see 'ip route get ADDRESS' and 'weft status'",
    );
  const others = [...captureByLink].filter(([name]) => name !== tun);
  const packets = others.reduce((sum, [, capture]) => sum + capture.packets, 0);
  const seen = `all ${sent} packets for ${peers.join(', ')} went into ${tun}`;
  const where = others.map(([name]) => name).join(', ');
  if (packets === 0) return skipped(check, `${seen}, but no packet left by ${where} meanwhile`);
  return fine(check, `${seen}; none of ${packets} packets on ${where} holds what they said`);
}
