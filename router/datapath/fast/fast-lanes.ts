/**
 * What the fast datapath asks of the lanes in C++; `native/fastdp.ts` has them and says what the parts mean. Peers have
 * numbers, sessions their local index.
 */
export interface FastLanes {
  setPeer(
    peer: number,
    to: { readonly address: Uint8Array; readonly port: number } | undefined,
    mtu: number,
  ): void;
  forgetPeer(peer: number): void;
  setPorts(peer: number, ports: number, tellAgain: boolean): void;
  setRoutes(words4: Uint32Array, words6: Uint32Array, owners: readonly number[], self: number): void;
  install(session: FastSession): void;
  resume(localIndex: number, sent: number, failedOpens: number, replayWindow: Uint8Array): void;
  replayWindow(localIndex: number): Uint8Array | undefined;
  use(localIndex: number): void;
  confirm(localIndex: number): void;
  remove(localIndex: number): void;
  reserve(localIndex: number): number;
  window(localIndex: number, counter: number, take: boolean): 0 | 1 | 2;
  failedOpens(localIndex: number, more: 0 | 1): number;
  used(localIndex: number, direction: 'sent' | 'received'): number;
  tallies(peer: number): FastTallies | undefined;
  takeDrops(): Float64Array;
}

/** A session as the lanes take it. */
interface FastSession {
  readonly peer: number;
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly aes: boolean;
  readonly peerTakesMarks: boolean;
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly rekeyAfterMessages: number;
  readonly stopAfterMessages: number;
  readonly maxFailedOpens: number;
}

/** What the lanes carried for a peer; ages in ms, −1: never. */
interface FastTallies {
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly sentIpBytes: number;
  readonly sentAgeMs: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly receivedIpBytes: number;
  readonly receivedAgeMs: number;
  readonly droppedPackets: number;
}
