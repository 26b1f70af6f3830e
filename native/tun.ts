import { WeftError } from '../base/weft-error.ts';
import { addon, type Handle, isSystemError, type SystemError } from './addon.ts';
import { tunSelfTestFrames } from './tun-self-test.ts';

interface TunOptions {
  /** Ask for a virtio header on each frame, and with it for offloads. Default true. */
  readonly vnetHeader?: boolean;
  /** Keep the device, its addresses and routes when we end. Default true. */
  readonly persistent?: boolean;
}

/** What this kernel granted, and what its self-test showed to work. */
export interface TunOffloads {
  /** Frames both ways start with a virtio header of 10 bytes. All else is false without. */
  readonly vnetHeader: boolean;
  /** The kernel may hand us packets with a partial checksum (NEEDS_CSUM) and TCP super-packets to segment. */
  readonly tcp: boolean;
  /** The kernel may hand us UDP super-packets (USO, kernel 6.2). */
  readonly udp: boolean;
  /** We may write TCP super-packets. False on kernels that answer them with EINVAL (6.6.44 did). */
  readonly writeTcp: boolean;
  /** We may write UDP super-packets. */
  readonly writeUdp: boolean;
}

/**
 * Receives a batch: frame `i` is `buffer.subarray(offsets[i], offsets[i] + lengths[i])` for `i < count`. A batch
 * holds at most 64 frames, and no further frame is begun once it holds 512 KiB.
 * All three arrays are reused: they are valid until the callback returns.
 */
type OnTunBatch = (buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number) => void;

/**
 * A TUN device, an interface whose packets end in this process.
 *
 * A frame both ways (little endian), without the first 10 bytes where `offloads.vnetHeader` is false:
 *
 * ```
 *   0       1          2            4          6            8             10
 *   | flags | gso type | header len | gso size | csum start | csum offset | IP packet …
 * ```
 *
 * flags: 1 = NEEDS_CSUM (the transport checksum is only the pseudo-header's sum; `csum start` and `csum offset`
 * count from the IP header), 2 = DATA_VALID. gso type: 0 none, 1 TCPv4, 4 TCPv6, 5 UDP, + 0x80 where ECN is set.
 */
export interface Tun {
  /** The device itself, for `fastdp.ts`. */
  readonly handle: Handle;
  /** For another process that is to take part. */
  readonly descriptor: number;
  /** The interface's name as the kernel has it. */
  readonly name: string;
  readonly offloads: TunOffloads;
  /**
   * Begins to read, once. `onBatch` is called on the event loop, once a wake-up. `onError` is called at most once,
   * when the device can be read no more (someone deleted it); reading has then stopped.
   */
  start(onBatch: OnTunBatch, onError?: (error: WeftError) => void): void;
  /** Hands a frame to the kernel. Bytes written, or −errno: −EIO (−5) while the interface is down, −EINVAL (−22). */
  write(frame: Uint8Array): number;
  /** Ends reading and lets the device go. A persistent one stays. Harmless when repeated. */
  close(): void;
}

/** TUN_F_* bits as the kernel counts them. */
const TUN_F_TSO = 0x02 | 0x04;
const TUN_F_USO = 0x20 | 0x40;

/**
 * Opens TUN interface `name` (1–15 bytes), creating it where it does not exist. The interface's state (up, MTU,
 * addresses) is not touched. Offloads are negotiated down to what the kernel grants and then tried out: with frames
 * that the kernel drops, so nothing is sent.
 * @throws WeftError E_NO_TUN, E_NOT_ROOT, E_TUN_BUSY (another process has it), E_TUN_NAME (the name belongs to an
 * interface of another kind, or is no name), E_TUN (anything else), E_NATIVE_MISSING.
 */
export function openTun(name: string, options: TunOptions = {}): Tun {
  const vnetHeader = options.vnetHeader ?? true;
  const persistent = options.persistent ?? true;
  try {
    return new NativeTun(addon().tunOpen(name, vnetHeader ? 1 : 0, persistent ? 1 : 0));
  } catch (error) {
    throw isSystemError(error) ? explain(name, error) : error;
  }
}

/**
 * Takes part in a TUN device that another process has open, by a descriptor that came from there; `fd` stays open. Both may
 * write, and only one may read.
 * @throws WeftError E_TUN where it is none that {@link openTun} would have opened.
 */
export function adoptTun(fd: number): Tun {
  try {
    return new NativeTun(addon().tunAdopt(fd));
  } catch (error) {
    throw isSystemError(error) ? explain('that was handed over', error) : error;
  }
}

class NativeTun implements Tun {
  readonly descriptor: number;
  readonly name: string;
  readonly offloads: TunOffloads;
  readonly handle: Handle;

  constructor(opened: ReturnType<ReturnType<typeof addon>['tunOpen']>) {
    this.name = opened.name;
    this.descriptor = opened.fd;
    this.handle = opened.handle;
    const { vnetHeader, offloads } = opened;
    const works = (kind: 'tcp' | 'udp'): boolean =>
      tunSelfTestFrames(kind).every((frame) => {
        const outcome = this.write(frame);
        // While the interface is down the kernel parses the frame and then says EIO; EINVAL is a parser that fails.
        return outcome === frame.length || outcome === -5;
      });
    const tcp = vnetHeader && (offloads & TUN_F_TSO) === TUN_F_TSO;
    const udp = vnetHeader && (offloads & TUN_F_USO) === TUN_F_USO;
    this.offloads = { vnetHeader, tcp, udp, writeTcp: tcp && works('tcp'), writeUdp: udp && works('udp') };
  }

  start(onBatch: OnTunBatch, onError?: (error: WeftError) => void): void {
    addon().tunStart(this.handle, onBatch, (error) => onError?.(explain(this.name, error)));
  }

  write(frame: Uint8Array): number {
    return addon().tunWrite(this.handle, frame);
  }

  close(): void {
    addon().tunClose(this.handle);
  }
}

function explain(name: string, cause: SystemError): WeftError {
  const opening = cause.syscall.startsWith('open');
  if (cause.code === 'ENOENT' || cause.code === 'ENODEV' || cause.code === 'ENXIO') {
    return new WeftError('E_NO_TUN', 'this host has no /dev/net/tun', 'load the tun module (modprobe tun)', {
      cause,
    });
  }
  if (cause.code === 'EPERM' || cause.code === 'EACCES') {
    const what = opening ? '/dev/net/tun may not be opened' : `TUN device ${name} may not be opened`;
    return new WeftError('E_NOT_ROOT', what, 'run as root or with CAP_NET_ADMIN', { cause });
  }
  if (cause.code === 'EBUSY') {
    const remedy = 'stop the other weftd of this host or network namespace';
    return new WeftError('E_TUN_BUSY', `TUN device ${name} is in use by another process`, remedy, { cause });
  }
  if (cause.code === 'EINVAL' && cause.syscall.endsWith('TUNSETIFF')) {
    const message = `${name} is an interface of another kind, or no name for one`;
    return new WeftError('E_TUN_NAME', message, 'remove or rename that interface', { cause });
  }
  const remedy = 'see that the interface was not deleted, and restart weftd';
  return new WeftError('E_TUN', `TUN device ${name} failed: ${cause.message}`, remedy, { cause });
}
