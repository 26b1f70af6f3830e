import { Socket } from 'node:net';
import { readU32LE, writeU32LE } from '../../base/bytes.ts';
import { MAX_HANDOVER_LENGTH } from '../../router/tunnel/handover/handover-format.ts';

/**
 * The two ends of the stream on which one weftd hands its tunnels to the next, a socket pair that nobody else has:
 *
 * ```
 *   heir    ── one byte: I am ready, read no more ──▶  giver
 *   giver   ── length u32 LE, bytes of handover-format.ts ──▶  heir
 * ```
 *
 * Who dies is seen by the other end at once. Bytes are wiped where they came from and where they were put together.
 */

const READY = Uint8Array.of(1);
const PREFIX = 4;

/** The end of the heir: asks, once, and resolves with what came; undefined where it does not come whole within `patienceMs`. */
export function askForTunnels(fd: number, patienceMs: number): Promise<Uint8Array | undefined> {
  const socket = new Socket({ fd });
  return new Promise((resolve) => {
    const assembly = new Assembly();
    const end = (whole: Uint8Array | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      if (whole === undefined) assembly.wipe();
      resolve(whole);
    };
    const timer = setTimeout(() => end(undefined), patienceMs);
    socket.on('data', (chunk: Uint8Array) => {
      const state = assembly.add(chunk);
      chunk.fill(0);
      if (state !== 'more') end(state === 'whole' ? assembly.take() : undefined);
    });
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.write(READY);
  });
}

/** The end of the giver. */
export class GiverStream {
  readonly #socket: Socket;

  /** Takes `fd` over. `onReady`: the heir asks, once; `onGone`: it will not, or no more. */
  constructor(fd: number, events: { readonly onReady: () => void; readonly onGone: () => void }) {
    this.#socket = new Socket({ fd });
    this.#socket.once('data', events.onReady);
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.once('close', events.onGone);
  }

  /** Sends `bytes` and wipes them; resolves when they are out, or cannot be sent. */
  async give(bytes: Uint8Array): Promise<void> {
    const length = new Uint8Array(PREFIX);
    writeU32LE(length, 0, bytes.length);
    this.#socket.write(length);
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve());
      this.#socket.end(bytes, () => resolve());
    });
    bytes.fill(0);
  }

  /** Harmless when repeated. */
  close(): void {
    this.#socket.destroy();
  }
}

/** Puts a message together, in memory that can be wiped. */
class Assembly {
  readonly #prefix = new Uint8Array(PREFIX);
  #whole: Uint8Array | undefined;
  #had = 0;

  /** 'wrong': too long, or longer than it said. */
  add(chunk: Uint8Array): 'more' | 'whole' | 'wrong' {
    let at = 0;
    for (; this.#had < PREFIX && at < chunk.length; at++) this.#prefix[this.#had++] = chunk[at]!;
    if (this.#had < PREFIX) return 'more';
    const length = readU32LE(this.#prefix, 0);
    if (length > MAX_HANDOVER_LENGTH) return 'wrong';
    this.#whole ??= new Uint8Array(length);
    const rest = chunk.subarray(at);
    const filled = this.#had - PREFIX;
    if (filled + rest.length > length) return 'wrong';
    this.#whole.set(rest, filled);
    this.#had += rest.length;
    return this.#had === PREFIX + length ? 'whole' : 'more';
  }

  take(): Uint8Array {
    return this.#whole!;
  }

  wipe(): void {
    this.#whole?.fill(0);
  }
}
