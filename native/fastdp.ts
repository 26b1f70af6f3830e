import { writeU64LE } from '../base/bytes.ts';
import { addon, type Handle } from './addon.ts';
import type { Tun } from './tun.ts';
import type { UdpSocket } from './udp.ts';

/**
 * Receives records. Record `i` is described by the words from `12 * i`; all arrays are reused and valid until the
 * callback returns, in which their bytes may be changed.
 *
 * ```
 *   0      1        2        3        4 … 8                     9     10      11
 *   | kind | offset | length | family | port, address (4 words) | tos | index | value |
 * ```
 *
 * | kind | bytes | |
 * |---|---|---|
 * | 0 frame | of the TUN, as `tun.ts` says, always with a virtio header | |
 * | 1 datagram | as it came from `family`, port and address | |
 * | 2 opened | an outer packet of session `index` whose text stands in the clear, behind it what was its tag | value 1: its counter is above all before it |
 * | 3 worn | none | session `index` nears or reached a limit |
 * | 4 TUN error | none | value: the errno that ended reading |
 * | 5 socket error | none | value: the errno that ended reading |
 * | 7 busy | none | much goes to the peer with number `index`; told once until {@link FastEngine.setPorts} says so |
 * | 6 dropped | none | there is something to take by {@link FastEngine.takeDrops}; told once until then |
 */
type OnFastRecords = (buffer: Uint8Array, words: Uint32Array, count: number) => void;

/** One direction-pair of keys. */
interface FastSession {
  /** The number of the peer at the far end. */
  readonly peer: number;
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly aes: boolean;
  readonly peerTakesMarks: boolean;
  /** 32 bytes each. */
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly rekeyAfterMessages: number;
  readonly stopAfterMessages: number;
  readonly maxFailedOpens: number;
}

/** What the engine itself carried for a peer; ages in ms, −1: never. */
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

const NO_ADDRESS = new Uint8Array(0);

/**
 * The fast datapath in C++ (`native/fastdp/`): threads beside the event loop that move plain packets between a TUN device
 * and UDP sockets, and leave all others to whoever listens. Peers have numbers of the caller's choice. Every change is
 * whole: the threads see what was before it or what is after it, and never wait for the event loop.
 */
export class FastEngine {
  readonly #handle: Handle;
  readonly #reserve = addon().fastReserve;
  readonly #window = addon().fastWindow;

  /** Takes over what `fastOpen` of the addon gave. */
  constructor(handle: Handle) {
    this.#handle = handle;
  }

  /**
   * An engine between `tun` and `sockets`, which nobody else may read. From `ports` it sends, see {@link setPorts}; what
   * comes there is dropped from now on. @throws SystemError.
   */
  static open(tun: Tun, sockets: readonly UdpSocket[], ports: readonly UdpSocket[] = []): FastEngine {
    const segments = Uint8Array.from(sockets, (socket) => (socket.segments ? 1 : 0));
    const { writeTcp, writeUdp } = tun.offloads;
    const handles = sockets.map(({ handle }) => handle);
    return new FastEngine(
      addon().fastOpen(
        tun.handle,
        handles,
        segments,
        writeTcp ? 1 : 0,
        writeUdp ? 1 : 0,
        ports.map(({ handle }) => handle),
      ),
    );
  }

  /** Begins to move packets, once. */
  start(onRecords: OnFastRecords): void {
    addon().fastStart(this.#handle, onRecords);
  }

  /** Where packets for a peer go: straight to an address (4 or 16 bytes) and port, or by nothing of ours. */
  setPeer(
    peer: number,
    to: { readonly address: Uint8Array; readonly port: number } | undefined,
    mtu: number,
  ): void {
    addon().fastSetPeer(this.#handle, peer, to?.address ?? NO_ADDRESS, to?.port ?? 0, mtu);
  }

  /** Requires that neither a session nor a route refers to it. */
  forgetPeer(peer: number): void {
    addon().fastForgetPeer(this.#handle, peer);
  }

  /**
   * By which ports flows to a peer leave: bit `n` of `ports` for the `n`th of `ports` of its family in {@link open}, from 1.
   * A new path has none. `tellAgain`: it is told anew when much goes there.
   */
  setPorts(peer: number, ports: number, tellAgain: boolean): void {
    addon().fastSetPorts(this.#handle, peer, ports, tellAgain ? 1 : 0);
  }

  /** `words4`, `words6`: first, last and index into `owners` of each span; `self`: our own index, −1 where we have none. */
  setRoutes(words4: Uint32Array, words6: Uint32Array, owners: readonly number[], self: number): void {
    const numbers = Uint32Array.from(owners);
    addon().fastSetRoutes(this.#handle, bytesOf(words4), bytesOf(words6), bytesOf(numbers), self);
  }

  /** Makes a session able to receive. Takes a copy of the keys. */
  install(session: FastSession): void {
    // In a buffer of its own: a small array lies on the heap, and what goes to the addon is a copy that nobody wipes.
    const keys = new Uint8Array(new ArrayBuffer(64));
    keys.set(session.sendKey);
    keys.set(session.receiveKey, 32);
    const limits = new Uint8Array(24);
    writeU64LE(limits, 0, session.rekeyAfterMessages);
    writeU64LE(limits, 8, session.stopAfterMessages);
    writeU64LE(limits, 16, session.maxFailedOpens);
    const flags = (session.aes ? 1 : 0) | (session.peerTakesMarks ? 2 : 0);
    const { peer, localIndex, remoteIndex } = session;
    addon().fastInstall(this.#handle, peer, localIndex, remoteIndex, flags, keys, limits);
    keys.fill(0);
  }

  /** A session that was just installed goes on where another engine, or a sleeve, ended with it. */
  resume(localIndex: number, sent: number, failedOpens: number, replayWindow: Uint8Array): void {
    addon().fastResume(this.#handle, localIndex, sent, failedOpens, replayWindow);
  }

  /** The replay window as `crypto/replay-window.ts` saves it; undefined where there is no such session. */
  replayWindow(localIndex: number): Uint8Array | undefined {
    return addon().fastReplayWindow(this.#handle, localIndex);
  }

  /** Seals with it from now on. */
  use(localIndex: number): void {
    addon().fastUse(this.#handle, localIndex);
  }

  /** From now on its packets are delivered; before, all go to the listener. */
  confirm(localIndex: number): void {
    addon().fastConfirm(this.#handle, localIndex);
  }

  /** Forgets it and wipes its keys. */
  remove(localIndex: number): void {
    addon().fastRemove(this.#handle, localIndex);
  }

  /** Takes the next counter of a session to seal with; −1 where it has none left. */
  reserve(localIndex: number): number {
    return this.#reserve(this.#handle, localIndex);
  }

  /** Looks up a counter of a peer, or with `take` marks it as seen. 0: seen or too old; 1: not the newest; 2: the newest. */
  window(localIndex: number, counter: number, take: boolean): 0 | 1 | 2 {
    return this.#window(this.#handle, localIndex, counter, take ? 1 : 0);
  }

  /** Failed opens of a session, `more` of them counted now. */
  failedOpens(localIndex: number, more: 0 | 1): number {
    return addon().fastFailedOpens(this.#handle, localIndex, more);
  }

  /** One above the highest counter that was used to seal, or that was accepted. */
  used(localIndex: number, direction: 'sent' | 'received'): number {
    return addon().fastUsed(this.#handle, localIndex, direction === 'sent' ? 0 : 1);
  }

  tallies(peer: number): FastTallies | undefined {
    const bytes = addon().fastTallies(this.#handle, peer);
    if (bytes === undefined) return undefined;
    const values = new Float64Array(bytes.buffer);
    return {
      sentPackets: values[0]!,
      sentBytes: values[1]!,
      sentIpBytes: values[2]!,
      sentAgeMs: values[3]!,
      receivedPackets: values[4]!,
      receivedBytes: values[5]!,
      receivedIpBytes: values[6]!,
      receivedAgeMs: values[7]!,
      droppedPackets: values[8]! + values[9]!,
    };
  }

  /** What was dropped since the last call, in the order of `Drop` in `native/fastdp/drops.h`. */
  takeDrops(): Float64Array {
    return new Float64Array(addon().fastDrops(this.#handle).buffer);
  }

  /**
   * Ends the threads. What they had read has gone its way, or to the listener, when this returns; what comes now waits in the
   * kernel. Sessions stay and can be asked.
   */
  stop(): void {
    addon().fastStop(this.#handle);
  }

  /** Ends the threads, wipes all keys. Harmless when repeated. */
  close(): void {
    addon().fastClose(this.#handle);
  }
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
