import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, writeFileSync } from 'node:fs';
import type { Lab } from '../harness/lab.ts';
import type { Pod, PolicyTruth } from './policy-truth.ts';

/** Where the agents' folder is, on each node and in each pod. */
export const AGENT_FOLDER = '/var/lib/chaos';
/** Ports that each agent listens on, of UDP and, the last, of TCP. */
export const AGENT_PORTS = [7000, 7001, 7100] as const;

/** A packet that came in although nothing that may have been in force allowed it. */
export interface Breach {
  readonly at: number;
  readonly kind: 'sent' | 'returned';
  readonly from: Pod;
  readonly to: Pod;
  readonly port: number;
  readonly address: string;
}

/** What is known of a pod, beside the truth. */
interface Watched {
  readonly pod: Pod;
  readonly addresses: Set<string>;
  /** How much of its log has been read, and the end of it that is no whole line yet. */
  read: number;
  rest: string;
}

/** How long an address is sent to that belonged to a pod. */
const FORMER_ADDRESS_MS = 30_000;
const CHUNK = 1 << 20;

/**
 * Reads what the agents in the pods write down, holds it against the truth, and tells the agents whom to send to. It sees
 * the nodes' disks, so nothing of that goes by the network under test.
 */
export class PolicyProber {
  readonly breaches: Breach[] = [];
  /** Packets that were judged, those of pods in a namespace that comes or goes, and those from pods unknown yet. */
  readonly counts = { judged: 0, uncertain: 0, unknown: 0 };
  /** How often a pod got an address, and how often one that another pod had had. */
  dealt = 0;
  dealtAgain = 0;
  readonly #everDealt = new Set<string>();
  readonly #lab: Lab;
  readonly #truth: PolicyTruth;
  readonly #fixedTargets: readonly string[];
  readonly #watchedByUid = new Map<string, Watched>();
  /** Addresses of all pods, and when they were last known to be somebody's. */
  readonly #knownAddresses = new Map<string, number>();
  /** When the last packet came, by `from to port address`. */
  readonly #lastByWay = new Map<string, number>();
  readonly #isUncertain: (namespace: string, at: number) => boolean;

  /**
   * `fixedTargets` are sent to whether a pod has them or not. `isUncertain` says of which namespaces nothing can be told
   * at a time.
   */
  constructor(
    lab: Lab,
    truth: PolicyTruth,
    fixedTargets: readonly string[],
    isUncertain: (namespace: string, at: number) => boolean,
  ) {
    this.#lab = lab;
    this.#truth = truth;
    this.#fixedTargets = fixedTargets;
    this.#isUncertain = isUncertain;
  }

  /** Every pod that has an agent, by UID. */
  get pods(): Pod[] {
    return [...this.#watchedByUid.values()].map(({ pod }) => pod);
  }

  find(uid: string): Pod | undefined {
    return this.#watchedByUid.get(uid)?.pod;
  }

  add(pod: Pod): void {
    this.#watchedByUid.set(pod.uid, { pod, addresses: new Set(), read: 0, rest: '' });
  }

  /** The API says which addresses the pod has. */
  setAddresses(uid: string, addresses: readonly string[], at: number): void {
    const watched = this.#watchedByUid.get(uid);
    if (watched === undefined) return;
    for (const address of addresses) {
      if (!watched.addresses.has(address)) {
        this.dealt++;
        if (this.#everDealt.has(address)) this.dealtAgain++;
        this.#everDealt.add(address);
      }
      watched.addresses.add(address);
      this.#knownAddresses.set(address, at);
      this.#truth.owns(watched.pod, address, at);
    }
  }

  /** Addresses of a pod, IPv4 and IPv6. */
  addressesOf(pod: Pod): readonly string[] {
    return [...(this.#watchedByUid.get(pod.uid)?.addresses ?? [])];
  }

  /** Writes down, on all nodes, whom the agents send to. */
  tellTargets(now: number): void {
    for (const [address, at] of this.#knownAddresses) {
      if (now - at > FORMER_ADDRESS_MS) this.#knownAddresses.delete(address);
    }
    const text = `${[...new Set([...this.#fixedTargets, ...this.#knownAddresses.keys()])].join('\n')}\n`;
    for (const { machine } of this.#lab.nodes) {
      const folder = `${machine.folder}${AGENT_FOLDER}`;
      mkdirSync(folder, { recursive: true });
      writeFileSync(`${folder}/.targets`, text);
      renameSync(`${folder}/.targets`, `${folder}/targets`);
    }
  }

  /** The pods that are there still have their addresses. */
  keep(uids: Iterable<string>, now: number): void {
    for (const uid of uids) {
      for (const address of this.#watchedByUid.get(uid)?.addresses ?? [])
        this.#knownAddresses.set(address, now);
    }
  }

  /** Reads what has been written since the last time, and judges it. Answers the breaches that are new. */
  read(): Breach[] {
    const before = this.breaches.length;
    for (const watched of this.#watchedByUid.values()) {
      // Whose its addresses were before has to be known.
      if (watched.addresses.size === 0) continue;
      for (const line of this.#newLines(watched)) this.#judge(watched.pod, line);
    }
    return this.breaches.slice(before);
  }

  /** Whether a packet came that way since. */
  cameSince(from: Pod, to: Pod, port: number, address: string, since: number): boolean {
    return (this.#lastByWay.get(`${from.uid} ${to.uid} ${port} ${address}`) ?? 0) >= since;
  }

  #judge(to: Pod, line: string): void {
    const [nanoseconds = '', kindLetter, uid = '', address = '', fromPort, ownPort] = line.split(' ');
    const at = Number(BigInt(nanoseconds) / 1_000n) / 1_000;
    const from = this.find(uid);
    if (from === undefined) {
      this.counts.unknown++;
      return;
    }
    const kind = kindLetter === 'd' ? 'sent' : 'returned';
    const port = Number(kind === 'sent' ? ownPort : fromPort);
    if (kind === 'sent') this.#lastByWay.set(`${from.uid} ${to.uid} ${port} ${address}`, at);
    if (this.#isUncertain(from.namespace, at) || this.#isUncertain(to.namespace, at)) {
      this.counts.uncertain++;
      return;
    }
    this.counts.judged++;
    this.#truth.owns(from, address, at);
    const packet: Breach = { at, kind, from, to, port, address };
    if (this.#truth.forbids(packet)) this.breaches.push(packet);
  }

  #newLines(watched: Watched): string[] {
    const { folder } = this.#lab.node(watched.pod.node).machine;
    const path = `${folder}${AGENT_FOLDER}/${watched.pod.uid}.log`;
    if (!existsSync(path)) return [];
    const file = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(CHUNK);
      const size = readSync(file, buffer, 0, CHUNK, watched.read);
      watched.read += size;
      const lines = (watched.rest + buffer.toString('latin1', 0, size)).split('\n');
      watched.rest = lines.pop()!;
      return lines;
    } finally {
      closeSync(file);
    }
  }
}
