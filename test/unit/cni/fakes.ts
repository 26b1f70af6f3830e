import { type Address, parseAddress } from '../../../base/address.ts';
import { Counters } from '../../../base/counters.ts';
import type { Attachment, PodAddresses } from '../../../cni/attachment.ts';
import { CNI_COUNTERS } from '../../../cni/cni-counters.ts';
import { CNI_CODE, CniFault } from '../../../cni/fault.ts';
import { hostLinkName } from '../../../cni/host-link-name.ts';
import { type AttachmentKey, keyText } from '../../../cni/key.ts';
import type {
  AddressPool,
  DeletionSpool,
  HostLink,
  MadeEnd,
  Pod,
  PodGate,
  PodNetwork,
  PoolState,
} from '../../../cni/needs.ts';
import { CniPlugin } from '../../../cni/plugin.ts';
import type { PodOfArgs } from '../../../cni/pod-args.ts';

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed) throw new Error(`${text} is no address`);
  return parsed;
}

/** Deals 10.32.0.1, 10.32.0.2 … and fd00::1 …, none of them twice. */
export class FakePool implements AddressPool {
  readonly addressesByKey = new Map<string, { key: AttachmentKey; addresses: PodAddresses }>();
  capacity = 1000;
  /** Where set, `allocate` waits for it or for the abort. */
  hold: Promise<void> | undefined;
  #next = 1;

  async allocate(key: AttachmentKey, signal: AbortSignal): Promise<PodAddresses> {
    if (this.hold) {
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
      await Promise.race([this.hold, aborted]);
    }
    const known = this.addressesByKey.get(keyText(key));
    if (known) return known.addresses;
    if (this.addressesByKey.size >= this.capacity) {
      throw new CniFault(CNI_CODE.tryLater, 'no address is free');
    }
    const v4 = address(`10.32.${this.#next >> 8}.${this.#next & 255}`);
    const addresses = { v4, v6: address(`fd00::${this.#next.toString(16)}`) };
    this.#next++;
    this.addressesByKey.set(keyText(key), { key, addresses });
    return addresses;
  }

  async release(key: AttachmentKey): Promise<void> {
    this.addressesByKey.delete(keyText(key));
  }

  keys(): AttachmentKey[] {
    return [...this.addressesByKey.values()].map(({ key }) => key);
  }

  addressesOf(key: AttachmentKey): PodAddresses | undefined {
    return this.addressesByKey.get(keyText(key))?.addresses;
  }

  state(): PoolState {
    const full = this.addressesByKey.size >= this.capacity;
    return full ? { ready: false, reason: 'no address is free' } : { ready: true };
  }
}

const WELL = { up: true, arp: false, isPort: false, forwards4: true, calledNow: undefined };

/** Pods are numbers: the descriptor that came with the request. */
export class FakeNetwork implements PodNetwork {
  readonly links = new Map<string, HostLink & { readonly pod: number; readonly ifname: string }>();
  /** Where set, `attach` makes the pair and then fails with it. */
  attachFault: Error | undefined;
  detachFault: Error | undefined;
  readonly missing: string[] = [];
  readonly repaired: string[] = [];
  open = 0;

  enter([fd = -1]: readonly number[]): Pod & { readonly fd: number } {
    this.open++;
    return {
      fd,
      hasInterface: async (name) => [...this.links.values()].some((l) => l.pod === fd && l.ifname === name),
      close: () => {
        this.open--;
      },
    };
  }

  async hostLinks(): Promise<HostLink[]> {
    return [...this.links.values()];
  }

  async hostLink(key: AttachmentKey): Promise<HostLink | undefined> {
    return this.links.get(hostLinkName(key));
  }

  async attach(pod: Pod, attachment: Attachment): Promise<MadeEnd> {
    const { key, network, hostName: name, hostMac, mtu, addresses: routes, podMac: mac } = attachment;
    const fd = (pod as Pod & { fd: number }).fd;
    const neighbours = routes.map((address) => ({ address, mac }));
    const state = { ...WELL, mac: hostMac, mtu, routes, neighbours };
    this.links.set(name, { name, owner: { key, network }, ...state, pod: fd, ifname: key.ifname });
    await Promise.resolve();
    if (this.attachFault) throw this.attachFault;
    return { link: 2, carrierLosses: 1 };
  }

  async inspect(): Promise<string[]> {
    return this.missing;
  }

  async repair(attachment: Attachment): Promise<void> {
    const { key, hostName, hostMac, mtu, addresses, podMac: mac } = attachment;
    this.repaired.push(keyText(key));
    const link = this.links.get(hostName)!;
    const neighbours = addresses.map((address) => ({ address, mac }));
    const state = { ...WELL, mac: hostMac, mtu, routes: addresses, neighbours };
    this.links.set(hostName, { ...link, ...state });
  }

  async detach(key: AttachmentKey): Promise<boolean> {
    if (this.detachFault) throw this.detachFault;
    return this.links.delete(hostLinkName(key));
  }

  async removeLink(name: string): Promise<void> {
    this.links.delete(name);
  }
}

export class FakeSpool implements DeletionSpool {
  readonly requestByName = new Map<string, unknown>();

  async pending(): Promise<string[]> {
    return [...this.requestByName.keys()];
  }

  /** An Error in place of a request is thrown. */
  async read(name: string): Promise<unknown> {
    const request = this.requestByName.get(name);
    if (request instanceof Error) throw request;
    return request;
  }

  async discard(name: string): Promise<void> {
    this.requestByName.delete(name);
  }

  async forget(key: AttachmentKey): Promise<void> {
    this.requestByName.delete(keyText(key));
  }
}

/** Writes down what it is told, and how many links there are then. */
export class FakeGate implements PodGate {
  readonly told: string[] = [];
  announceFault: Error | undefined;
  readonly #network: FakeNetwork;

  constructor(network: FakeNetwork) {
    this.#network = network;
  }

  async announce({ key }: Attachment, pod: PodOfArgs): Promise<void> {
    this.#note(`announce ${keyText(key)} ${pod.kind}`);
    if (this.announceFault) throw this.announceFault;
  }

  async admitted(key: AttachmentKey): Promise<void> {
    this.#note(`admitted ${keyText(key)}`);
  }

  forget(key: AttachmentKey): void {
    this.#note(`forget ${keyText(key)}`);
  }

  adopt(attached: Parameters<PodGate['adopt']>[0]): void {
    this.#note(`adopt ${attached.map(({ key }) => keyText(key)).join(' ')}`);
  }

  #note(what: string): void {
    this.told.push(`${what}, ${this.#network.links.size} links`);
  }
}

/** A plugin on fakes; `expire()` lets every time limit set so far run out. */
export function fakeWorld() {
  const pool = new FakePool();
  const network = new FakeNetwork();
  const spool = new FakeSpool();
  const counters = new Counters(CNI_COUNTERS);
  const limits: AbortController[] = [];
  const timeout = (): AbortSignal => {
    const controller = new AbortController();
    limits.push(controller);
    return controller.signal;
  };
  const gate = new FakeGate(network);
  const plugin = new CniPlugin({ pool, network, spool, gate, counters, timeout, mtu: () => 1364 });
  const expire = (): void => {
    for (const limit of limits) limit.abort();
  };
  return { pool, network, spool, gate, counters, plugin, expire };
}

export interface RequestOptions {
  readonly containerId?: string;
  readonly ifname?: string;
  readonly version?: string;
  readonly network?: string;
  readonly config?: Record<string, unknown>;
  /** CNI_ARGS. */
  readonly args?: string;
}

export function request(command: string, options: RequestOptions = {}): Record<string, unknown> {
  return {
    op: 'cni',
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: options.containerId ?? 'pod-a',
      CNI_IFNAME: options.ifname ?? 'eth0',
      CNI_NETNS: '/run/netns/a',
      CNI_PATH: '/opt/cni/bin',
      ...(options.args === undefined ? {} : { CNI_ARGS: options.args }),
    },
    config: JSON.stringify({
      cniVersion: options.version ?? '1.1.0',
      name: options.network ?? 'weft',
      type: 'weft-net',
      ...options.config,
    }),
  };
}
