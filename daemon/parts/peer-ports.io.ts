import type { Endpoint } from '../../base/endpoint.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { NodeLoop } from '../node-loop.io.ts';

/** Changes come in bursts, when nodes begin. */
const BURST_MS = 1_000;

/**
 * Follows where the tunnels of peers end: only what a peer has proven by an answer, for by what peers say of
 * themselves a member could shut pods out from any address. It is kept while a tunnel is down, so that nobody can hold
 * it down, and for as long as the peer is there.
 */
export class PeerPorts {
  readonly #endpointByPeer = new Map<PeerId, Endpoint>();
  /** Of peers that are taken for dead: one that was only slow to answer is there again, and its tunnel never went. */
  readonly #deadByPeer = new Map<PeerId, Endpoint>();
  readonly #tell: (endpoints: readonly Endpoint[]) => void;
  #timer: NodeJS.Timeout | undefined;

  /** `tell` hears of all of them, some time after one has changed. */
  constructor(loop: Pick<NodeLoop, 'on'>, tell: (endpoints: readonly Endpoint[]) => void) {
    this.#tell = tell;
    loop.on('tunnel', ({ peer, state, path }) => {
      if (state !== 'established' || path?.kind !== 'direct') return;
      if (this.#endpointByPeer.get(peer) === path.endpoint) return;
      this.#endpointByPeer.set(peer, path.endpoint);
      this.#changed();
    });
    loop.on('member', ({ peer, state }) => {
      const endpoint = this.#endpointByPeer.get(peer);
      const dead = this.#deadByPeer.get(peer);
      this.#deadByPeer.delete(peer);
      if (state === 'alive' && dead !== undefined && endpoint === undefined) {
        this.#endpointByPeer.set(peer, dead);
        this.#changed();
      } else if (state === 'dead' || state === 'left') {
        const last = endpoint ?? dead;
        if (state === 'dead' && last !== undefined) this.#deadByPeer.set(peer, last);
        if (this.#endpointByPeer.delete(peer)) this.#changed();
      }
    });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#tell([...new Set(this.#endpointByPeer.values())]);
    }, BURST_MS);
  }
}
