import { setLink, withoutLinkLocal } from '../../linux/rtnetlink/link.ts';
import { redirectIngress } from '../../linux/rtnetlink/redirect-ingress.ts';
import { RouteClient } from '../../linux/rtnetlink/route-client.io.ts';
import { openTun, type Tun } from '../../native/tun.ts';

/**
 * Has packets come in by a pod's interface as if the pod had sent them: a TUN device of its own, all of which is redirected to
 * what comes in by that interface (tc mirred). So a probe meets every rule that the pod's packets meet, and neither the
 * pod's namespace is entered nor its interface changed. Needs CAP_NET_ADMIN. The device goes with the process.
 */
export class ProbeSender {
  readonly #tun: Tun;

  private constructor(tun: Tun) {
    this.#tun = tun;
  }

  /**
   * Rejects with E_NO_TUN, E_NOT_ROOT, and with a NetlinkError where the kernel cannot redirect (ENOENT: it lacks sch_ingress,
   * cls_u32 or act_mirred).
   *
   * @param id up to 13 hex digits that no other probe has.
   * @param link index of the pod's interface.
   */
  static async open(id: string, link: number): Promise<ProbeSender> {
    const tun = openTun(`wp${id}`, { vnetHeader: false, persistent: false });
    const client = RouteClient.open();
    try {
      const device = await client.link(tun.name);
      if (device === undefined) throw new Error(`${tun.name} is gone`);
      await client.execute(withoutLinkLocal(device.index), setLink(device.index, { up: true }));
      await client.execute(...redirectIngress(device.index, link));
      tun.start(() => undefined);
      return new ProbeSender(tun);
    } catch (error) {
      tun.close();
      throw error;
    } finally {
      client.close();
    }
  }

  /** One packet from its IP header on. False where the kernel did not take it. */
  send(packet: Uint8Array): boolean {
    return this.#tun.write(packet) === packet.length;
  }

  /** Harmless when repeated. */
  close(): void {
    this.#tun.close();
  }
}
