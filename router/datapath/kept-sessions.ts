import type { PeerId } from '../../base/peer-id.ts';
import type {
  Datapath,
  DataSession,
  Path,
  Route,
  SendOptions,
  TrafficTotals,
  TunnelStats,
} from './datapath.ts';
import type { SessionProgress } from './session-progress.ts';

/** Bytes of a key. */
const KEY_LENGTH = 32;

/**
 * A datapath whose sessions can be handed on, keys and all: it keeps a copy of the keys of each session that lives, beside
 * the datapath's own, and wipes it with the session.
 */
export class KeptSessions implements Datapath {
  readonly #datapath: Datapath;
  readonly #sessionByIndex = new Map<number, DataSession>();

  constructor(datapath: Datapath) {
    this.#datapath = datapath;
  }

  /** The session of that index, its keys the caller's to wipe; undefined where there is none. */
  keys(localIndex: number): DataSession | undefined {
    const kept = this.#sessionByIndex.get(localIndex);
    return kept && copyOf(kept);
  }

  install(session: DataSession, before?: SessionProgress): void {
    this.#forget(session.localIndex);
    this.#sessionByIndex.set(session.localIndex, copyOf(session));
    this.#datapath.install(session, before);
  }

  remove(localIndex: number): void {
    this.#forget(localIndex);
    this.#datapath.remove(localIndex);
  }

  /** Wipes all keys here. The datapath's own go when it is closed. */
  forgetAll(): void {
    for (const localIndex of [...this.#sessionByIndex.keys()]) this.#forget(localIndex);
  }

  use(localIndex: number): void {
    this.#datapath.use(localIndex);
  }

  progress(localIndex: number): SessionProgress | undefined {
    return this.#datapath.progress(localIndex);
  }

  setPath(peer: PeerId, path: Path | undefined): void {
    this.#datapath.setPath(peer, path);
  }

  setMtu(peer: PeerId, bytes: number): void {
    this.#datapath.setMtu(peer, bytes);
  }

  setRoutes(routes: readonly Route[]): void {
    this.#datapath.setRoutes(routes);
  }

  setPorts(peer: PeerId, ports: number): void {
    this.#datapath.setPorts(peer, ports);
  }

  sendControl(peer: PeerId, body: Uint8Array, options?: SendOptions): boolean {
    return this.#datapath.sendControl(peer, body, options);
  }

  sendForeign(path: Path, to: PeerId | undefined, packet: Uint8Array): boolean {
    return this.#datapath.sendForeign(path, to, packet);
  }

  stats(peer: PeerId): TunnelStats {
    return this.#datapath.stats(peer);
  }

  totals(): TrafficTotals {
    return this.#datapath.totals();
  }

  addTraffic(peer: PeerId | undefined, before: TunnelStats): void {
    this.#datapath.addTraffic(peer, before);
  }

  #forget(localIndex: number): void {
    const kept = this.#sessionByIndex.get(localIndex);
    if (kept === undefined) return;
    this.#sessionByIndex.delete(localIndex);
    kept.sendKey.fill(0);
    kept.receiveKey.fill(0);
  }
}

function copyOf(session: DataSession): DataSession {
  // Of a buffer of its own, for what lies on the heap of the engine is copied when that is tidied up.
  const keys = new ArrayBuffer(2 * KEY_LENGTH);
  const sendKey = new Uint8Array(keys, 0, KEY_LENGTH);
  const receiveKey = new Uint8Array(keys, KEY_LENGTH, KEY_LENGTH);
  sendKey.set(session.sendKey);
  receiveKey.set(session.receiveKey);
  // A session that was handed over has more fields, which tell how it stood then.
  const { peer, localIndex, remoteIndex, suite, peerTakesMarks } = session;
  return { peer, localIndex, remoteIndex, suite, peerTakesMarks, sendKey, receiveKey };
}
