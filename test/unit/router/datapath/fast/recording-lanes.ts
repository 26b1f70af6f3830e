import { addon, type Handle } from '../../../../../native/addon.ts';
import { FastEngine } from '../../../../../native/fastdp.ts';

const RECORD_BYTES = 12 * 4;

/** The lanes in C++ without devices or threads: packets are fed to them, and what comes out is taken. */
export class RecordingLanes {
  /** What sessions, peers and routes are told to. */
  readonly engine: FastEngine;
  readonly #handle: Handle;
  readonly #words = new Uint8Array(256 * RECORD_BYTES);
  readonly #room = new Uint8Array(256 * 1024);

  /** `coalesce`: the TUN takes super-packets. */
  constructor(coalesce: boolean) {
    const flag = coalesce ? 1 : 0;
    this.#handle = addon().fastOpen(undefined, [], new Uint8Array(0), flag, flag, []);
    this.engine = new FastEngine(this.#handle);
  }

  /** As the TUN would give it. */
  handleFrame(frame: Uint8Array): void {
    addon().fastFrame(this.#handle, frame);
  }

  /** As a socket would give them; `origin`: words of port and address. */
  handleDatagrams(family: 4 | 6, origin: Uint32Array, bytes: Uint8Array, segment: number, tos: number): void {
    addon().fastDatagrams(this.#handle, family, new Uint8Array(origin.buffer), bytes, segment, tos);
  }

  /** Hands what was left to others to `onRecords`, as `native/fastdp.ts` draws it. */
  takeUpward(onRecords: (buffer: Uint8Array, words: Uint32Array, count: number) => void): void {
    for (;;) {
      const count = addon().fastTakeUpward(this.#handle, this.#words, this.#room);
      if (count === 0) return;
      onRecords(this.#room, new Uint32Array(this.#words.buffer), count);
    }
  }

  /** What came out since the last call, as `native/fastdp/recorder.h` draws it. */
  recorded(): Uint8Array {
    return addon().fastRecorded(this.#handle);
  }

  close(): void {
    addon().fastClose(this.#handle);
  }
}
