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
  /** A peer that is taken for dead may only be slow to answer: it is there again then, and its tunnel never went. */
  readonly #endByPeer = new Map<PeerId, { readonly endpoint: Endpoint; readonly isDead: boolean }>();
  readonly #tell: (endpoints: readonly Endpoint[]) => void;
  #timer: NodeJS.Timeout | undefined;

  /** `tell` hears of all of them, some time after one has changed. */
  constructor(loop: Pick<NodeLoop, 'on'>, tell: (endpoints: readonly Endpoint[]) => void) {
    this.#tell = tell;
    loop.on('tunnel', ({ peer, state, path }) => {
      if (state !== 'established' || path?.kind !== 'direct') return;
      const known = this.#endByPeer.get(peer);
      this.#endByPeer.set(peer, { endpoint: path.endpoint, isDead: false });
      if (known === undefined || known.isDead || known.endpoint !== path.endpoint) this.#changed();
    });
    loop.on('member', ({ peer, state }) => {
      const known = this.#endByPeer.get(peer);
      if (known === undefined) return;
      const isDead = state === 'dead';
      if (state === 'left') this.#endByPeer.delete(peer);
      else this.#endByPeer.set(peer, { ...known, isDead });
      if (state === 'left' ? !known.isDead : known.isDead !== isDead) this.#changed();
    });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const ends = [...this.#endByPeer.values()].filter(({ isDead }) => !isDead);
      this.#tell([...new Set(ends.map(({ endpoint }) => endpoint))]);
    }, BURST_MS);
  }
}
