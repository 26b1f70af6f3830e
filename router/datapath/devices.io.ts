import { type Address, parseAddress } from '../../base/address.ts';
import { adoptTun, openTun, type Tun } from '../../native/tun.ts';
import { adoptUdp, openUdp, type UdpSocket } from '../../native/udp.ts';
import type { DatapathOptions, InheritedDevices } from './datapath.ts';

/** Opens the devices of a datapath: those that were inherited, where they are the same ones, else new ones. */
export class Devices {
  readonly tun: Tun;
  readonly sockets: UdpSocket[] = [];
  /** Those that nobody has asked for yet. */
  readonly #inherited: UdpSocket[];

  private constructor(tun: Tun, inherited: UdpSocket[]) {
    this.tun = tun;
    this.#inherited = inherited;
  }

  /** Opens the TUN device. @throws WeftError as {@link openTun} does, SystemError where what was inherited is no socket. */
  static open({ tunName, inherited }: Pick<DatapathOptions, 'tunName' | 'inherited'>): Devices {
    const sockets: UdpSocket[] = [];
    try {
      for (const fd of inherited?.sockets ?? []) sockets.push(adoptUdp(fd));
      return new Devices(takeTun(tunName, inherited), sockets);
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
  }

  /** A socket bound to the IP address `host` and `port`. @throws as {@link openUdp} does. */
  openUdp(host: string, port: number): UdpSocket {
    const address = parseAddress(host);
    const at = this.#inherited.findIndex((each) => each.port === port && isSame(each.address, address));
    const socket = at < 0 ? openUdp(host, port) : this.#inherited.splice(at, 1)[0]!;
    this.sockets.push(socket);
    return socket;
  }

  /** Lets go of what was inherited and not asked for. */
  closeRest(): void {
    for (const socket of this.#inherited.splice(0)) socket.close();
  }

  /** For whoever is to inherit them. */
  get descriptors(): InheritedDevices {
    return { tun: this.tun.descriptor, sockets: this.sockets.map(({ descriptor }) => descriptor) };
  }
}

function takeTun(name: string, inherited: InheritedDevices | undefined): Tun {
  if (inherited === undefined) return openTun(name);
  const tun = adoptTun(inherited.tun);
  if (tun.name === name) return tun;
  tun.close();
  return openTun(name);
}

function isSame(one: Address, other: Address | undefined): boolean {
  return one.family === other?.family && one.value === other.value;
}
