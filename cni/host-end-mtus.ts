import { MIN_MTU } from './attachment.ts';

/** A host's end, as far as it matters here. */
interface SizedLink {
  readonly name: string;
  readonly mtu: number;
}

/**
 * The MTU that each host's end is to have: that with which the pair was made, which stays when later pods get another one.
 * Nothing of it is on disk: what a weftd finds at its start counts as right, as long as it carries IPv6.
 */
export class HostEndMtus {
  readonly #mtuByName = new Map<string, number>();

  /** It was made with this one. */
  made(name: string, mtu: number): void {
    this.#mtuByName.set(name, mtu);
  }

  of({ name, mtu }: SizedLink): number {
    return this.#mtuByName.get(name) ?? Math.max(mtu, MIN_MTU);
  }

  /** The host's ends as they are now, all of them: what was not known is, and who is gone is forgotten. */
  looked(links: readonly SizedLink[]): void {
    const present = new Set(links.map(({ name }) => name));
    for (const name of this.#mtuByName.keys()) if (!present.has(name)) this.#mtuByName.delete(name);
    for (const link of links) this.#mtuByName.set(link.name, this.of(link));
  }
}
