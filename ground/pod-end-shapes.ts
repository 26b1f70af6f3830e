import { equalBytes } from '../base/bytes.ts';
import type { Link } from '../linux/rtnetlink/link.ts';

/** What of a host's end of a pod never changes by itself. */
type Shape = Pick<Link, 'index' | 'name' | 'mac' | 'mtu'>;

/**
 * The host's ends of pods as they were last seen. Events of links tell how a link is, and not what changed: a pod that comes
 * up has many of them, of which none is somebody's change.
 */
export class PodEndShapes {
  readonly #podPrefix: string;
  readonly #shapeByIndex = new Map<number, Shape>();

  constructor(podPrefix: string) {
    this.#podPrefix = podPrefix;
  }

  /** Whether a link that was a pod's end has another name, hardware address or MTU than when it was last seen. */
  seen({ index, name, mac, mtu }: Shape): boolean {
    const before = this.#shapeByIndex.get(index);
    if (before === undefined && !name.startsWith(this.#podPrefix)) return false;
    this.#shapeByIndex.set(index, { index, name, mac, mtu });
    if (before === undefined) return false;
    return before.name !== name || before.mtu !== mtu || !equalBytes(before.mac, mac);
  }

  /** Whether it is, or was, a pod's end. */
  has(index: number): boolean {
    return this.#shapeByIndex.has(index);
  }

  gone(index: number): void {
    this.#shapeByIndex.delete(index);
  }
}
