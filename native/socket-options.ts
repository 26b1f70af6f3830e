import type { Socket } from 'node:dgram';
import { addon } from './addon.ts';

/**
 * What a socket does about the path's MTU. `do`: sets DF and obeys ICMP "too big", `probe`: sets DF and ignores it
 * (for tunnels, which find the MTU by probes of their own and trust no unvalidated ICMP), `off`: lets routers
 * fragment.
 */
type PathMtuDiscovery = 'off' | 'do' | 'probe';

const MODES = { off: 0, do: 1, probe: 2 } as const;

/**
 * Sets the receive and send buffers of socket `fd`, past the system's limit where we have CAP_NET_ADMIN, up to it
 * where not. Returns the bytes granted; undefined where the kernel refused even that.
 */
export function setSocketBuffers(
  fd: number,
  bytes: number,
): { readonly receive: number | undefined; readonly send: number | undefined } {
  const granted = (outcome: number): number | undefined => (outcome < 0 ? undefined : outcome);
  return {
    receive: granted(addon().setReceiveBuffer(fd, bytes)),
    send: granted(addon().setSendBuffer(fd, bytes)),
  };
}

/**
 * Sets path MTU discovery of socket `fd` for packets of `family`; a dual-stack IPv6 socket needs it for both.
 * False where the kernel refused (the socket is of another kind).
 */
export function setPathMtuDiscovery(fd: number, family: 4 | 6, mode: PathMtuDiscovery): boolean {
  return addon().setPathMtuDiscovery(fd, family, MODES[mode]) === 0;
}

/**
 * The descriptor of a bound UDP socket; undefined where it is closed or Node no longer keeps it where it did. Node
 * has no public way to it, and its `_handle` warns, so this reads the state that `_handle` stands for.
 */
export function udpDescriptor(socket: Socket): number | undefined {
  const key = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol');
  const state = key && (socket as unknown as Record<symbol, UdpState>)[key];
  const fd = state?.handle?.fd;
  return fd !== undefined && fd >= 0 ? fd : undefined;
}

interface UdpState {
  readonly handle?: { readonly fd?: number } | null;
}
