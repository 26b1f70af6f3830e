import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { WeftError } from '../base/weft-error.ts';

/** A native object of the addon; opaque here, checked there. */
export type Handle = object & { readonly __brand: 'Handle' };

/**
 * The functions of `native/build/weft.node`, one to one. Only the faces beside this file call them; each face
 * says what its functions mean. A failed call throws {@link SystemError} unless the face says otherwise.
 */
interface Addon {
  aeadSupport(): { readonly openssl: boolean; readonly aesHardware: boolean };
  aeadOpen(cipher: 0 | 1, key: Uint8Array): Handle;
  aeadSealRun(
    handle: Handle,
    nonce: Uint8Array,
    bytes: Uint8Array,
    at: number,
    length: number,
    segment: number,
    aadLength: number,
  ): void;
  aeadOpenRun(
    handle: Handle,
    nonce: Uint8Array,
    bytes: Uint8Array,
    at: number,
    length: number,
    segment: number,
    aadLength: number,
  ): number;
  aeadClose(handle: Handle): void;

  tunOpen(name: string, vnetHeader: 0 | 1, persistent: 0 | 1): OpenedTun;
  tunAdopt(fd: number): OpenedTun;
  tunStart(
    handle: Handle,
    onBatch: (buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number) => void,
    onError: (error: SystemError) => void,
  ): void;
  tunWrite(handle: Handle, frame: Uint8Array): number;
  tunClose(handle: Handle): void;

  udpOpen(family: 4 | 6, address: Uint8Array, port: number): OpenedUdp;
  udpAdopt(fd: number): OpenedUdp;
  udpStart(
    handle: Handle,
    onBatch: (buffer: Uint8Array, words: Uint32Array, count: number) => void,
    onWritable: () => void,
    onError: (errno: number) => void,
    reading: 0 | 1,
  ): void;
  udpSend(
    handle: Handle,
    address: Uint8Array,
    port: number,
    data: Uint8Array,
    length: number,
    segment: number,
    tos: number,
  ): number;
  udpAwaitWritable(handle: Handle): void;
  udpClose(handle: Handle): void;

  fastOpen(
    tun: Handle | undefined,
    sockets: readonly Handle[],
    segments: Uint8Array,
    coalesceTcp: 0 | 1,
    coalesceUdp: 0 | 1,
    ports: readonly Handle[],
  ): Handle;
  fastStart(handle: Handle, onUp: (buffer: Uint8Array, words: Uint32Array, count: number) => void): void;
  fastSetPeer(handle: Handle, peer: number, address: Uint8Array, port: number, mtu: number): void;
  fastForgetPeer(handle: Handle, peer: number): void;
  fastSetPorts(handle: Handle, peer: number, ports: number, tellAgain: 0 | 1): void;
  fastSetRoutes(
    handle: Handle,
    words4: Uint8Array,
    words6: Uint8Array,
    owners: Uint8Array,
    self: number,
  ): void;
  fastInstall(
    handle: Handle,
    peer: number,
    localIndex: number,
    remoteIndex: number,
    flags: number,
    keys: Uint8Array,
    limits: Uint8Array,
  ): void;
  fastReplayWindow(handle: Handle, localIndex: number): Uint8Array | undefined;
  fastResume(
    handle: Handle,
    localIndex: number,
    sent: number,
    failedOpens: number,
    replayWindow: Uint8Array,
  ): void;
  fastUse(handle: Handle, localIndex: number): void;
  fastConfirm(handle: Handle, localIndex: number): void;
  fastRemove(handle: Handle, localIndex: number): void;
  fastReserve(handle: Handle, localIndex: number): number;
  fastWindow(handle: Handle, localIndex: number, counter: number, take: 0 | 1): 0 | 1 | 2;
  fastFailedOpens(handle: Handle, localIndex: number, more: 0 | 1): number;
  fastUsed(handle: Handle, localIndex: number, received: 0 | 1): number;
  fastTallies(handle: Handle, peer: number): Uint8Array | undefined;
  fastDrops(handle: Handle): Uint8Array;
  fastFrame(handle: Handle, frame: Uint8Array): void;
  fastDatagrams(
    handle: Handle,
    family: 4 | 6,
    origin: Uint8Array,
    bytes: Uint8Array,
    segment: number,
    tos: number,
  ): void;
  fastTakeUpward(handle: Handle, words: Uint8Array, room: Uint8Array): number;
  fastRecorded(handle: Handle): Uint8Array;
  fastStop(handle: Handle): void;
  fastClose(handle: Handle): void;

  netlinkOpen(protocol: number): Handle;
  netlinkAdopt(fd: number): Handle;
  netlinkJoin(fd: number, group: number): void;
  netlinkNumber(handle: Handle): number;
  netlinkPort(handle: Handle): number;
  netlinkTransact(
    handle: Handle,
    request: Uint8Array,
    firstSequence: number,
    count: number,
    timeoutMs: number,
  ): Promise<Uint8Array>;
  netlinkClose(handle: Handle): void;

  netlinkEventsOpen(protocol: number, receiveBufferBytes: number): Handle;
  netlinkEventsJoin(handle: Handle, group: number): void;
  netlinkEventsStart(
    handle: Handle,
    onBatch: (buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number) => void,
    onLost: () => void,
    onError: (error: SystemError) => void,
  ): void;
  netlinkEventsSend(handle: Handle, bytes: Uint8Array): number;
  netlinkEventsRest(handle: Handle): void;
  netlinkEventsGoOn(handle: Handle): void;
  netlinkEventsClose(handle: Handle): void;

  socketListen(
    path: string,
    backlog: number,
    connections: number,
    requestMs: number,
    answerMs: number,
    onRequest: (id: number, pid: number, uid: number, gid: number, fds: number[], bytes: Uint8Array) => void,
    onGone: (id: number) => void,
  ): Handle;
  socketAnswer(handle: Handle, id: number, bytes: Uint8Array): boolean;
  socketSend(path: string, bytes: Uint8Array, fds: Uint8Array): number;
  socketPair(): readonly [number, number];
  descriptorDuplicate(fd: number): number;
  socketDrop(handle: Handle, id: number): void;
  socketUnheard(handle: Handle): number;
  socketClose(handle: Handle): void;

  descriptorAdopt(fd: number): Handle;
  descriptorStart(handle: Handle, onReadable: () => void): void;
  descriptorAgain(handle: Handle): void;
  descriptorRead(handle: Handle): Uint8Array;
  descriptorDrain(handle: Handle): void;
  descriptorNumber(handle: Handle): number;
  descriptorClose(handle: Handle): void;

  captureOpen(link: number): Handle;
  captureSearch(handle: Handle, bytes: Uint8Array): { readonly packets: number; readonly matches: number };
  captureClose(handle: Handle): void;

  setReceiveBuffer(fd: number, bytes: number): number;
  setSendBuffer(fd: number, bytes: number): number;
  setPathMtuDiscovery(fd: number, family: 4 | 6, mode: 0 | 1 | 2): number;
  tryLock(fd: number): number;
  /** 0 or −errno. */
  keepOutOfDumps(): number;
}

/** A TUN device; `fd` is the handle's. */
interface OpenedTun {
  readonly handle: Handle;
  readonly fd: number;
  readonly name: string;
  readonly vnetHeader: boolean;
  readonly offloads: number;
}

/** A UDP socket; `fd` is the handle's. */
interface OpenedUdp {
  readonly handle: Handle;
  readonly fd: number;
  readonly family: 4 | 6;
  readonly address: Uint8Array;
  readonly port: number;
  readonly segments: boolean;
  readonly joins: boolean;
}

/** What the addon throws when the kernel refuses: shaped like Node's own system errors. */
export interface SystemError extends Error {
  /** `EPERM`, `EBUSY`, … */
  readonly code: string;
  readonly errno: number;
  /** The call that failed, with its object: `open /dev/net/tun`. */
  readonly syscall: string;
}

export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'code' in error && 'errno' in error;
}

let loaded: Addon | undefined;

/**
 * The addon, loaded at the first call.
 * @throws WeftError E_NATIVE_MISSING where it is not built or does not fit this Node.
 */
export function addon(): Addon {
  if (loaded) return loaded;
  try {
    const path = fileURLToPath(new URL('./build/weft.node', import.meta.url));
    loaded = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw new WeftError('E_NATIVE_MISSING', 'the native part of weft is not built', 'run npm run setup', {
      cause,
    });
  }
  return loaded;
}
