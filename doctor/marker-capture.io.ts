import { isPodEnd, type OwnLinks } from '../linux/host-survey.ts';
import { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { PacketCapture } from '../native/packet-capture.ts';
import type { CanaryCapture } from './canary.ts';

/** Looks for a text in what all interfaces of this host send, but for the loopback and the pods' own. */
export class MarkerCapture {
  readonly #marker: Uint8Array;
  readonly #captures: { readonly name: string; readonly capture: PacketCapture }[] = [];
  readonly #seen = new Map<string, CanaryCapture>();

  private constructor(marker: Uint8Array) {
    this.#marker = marker;
  }

  /** From now on. Rejects with a SystemError: EPERM without CAP_NET_RAW. */
  static async open(marker: Uint8Array, own: Pick<OwnLinks, 'podPrefix'>): Promise<MarkerCapture> {
    const client = RouteClient.open();
    const links = await client.links().finally(() => client.close());
    const made = new MarkerCapture(marker);
    try {
      for (const link of links) {
        const { name, index } = link;
        if (link.up && name !== 'lo' && !isPodEnd(link, own))
          made.#captures.push({ name, capture: PacketCapture.open(index) });
      }
    } catch (error) {
      made.close();
      throw error;
    }
    return made;
  }

  /** What each interface has sent since the beginning; to be called again and again, since the kernel keeps a bounded part. */
  look(): ReadonlyMap<string, CanaryCapture> {
    for (const { name, capture } of this.#captures) {
      const { packets, matches } = capture.search(this.#marker);
      const before = this.#seen.get(name) ?? { packets: 0, matches: 0 };
      this.#seen.set(name, { packets: before.packets + packets, matches: before.matches + matches });
    }
    return this.#seen;
  }

  close(): void {
    for (const { capture } of this.#captures) capture.close();
  }
}
