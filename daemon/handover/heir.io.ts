import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../../base/weft-error.ts';
import { clock } from '../../host/clock.io.ts';
import type { Log } from '../../host/log.ts';
import { type LocalRequest, LocalSocket } from '../../native/local-socket.ts';
import { decodeHandover } from '../../router/tunnel/handover/handover-format.ts';
import { type DatapathOffer, OFFER_VERSION } from './datapath-offer.ts';
import { heirSocket, readDevices } from './devices-message.io.ts';
import { askForTunnels } from './handover-stream.io.ts';
import type { Inheritance } from './inheritance.ts';

/** The predecessor has sent its devices before it lets the state folder go, so they are there, or will never be. */
const ARRIVAL_MS = 500;
const LOOK_MS = 1;
const LAST_LOOKS = 5;
/** Stopping and telling takes milliseconds; who takes longer is dead or hangs. */
const TUNNELS_WITHIN_MS = 3_000;

/**
 * What a weftd that is to take a node over gets from the one that serves it, beside the state folder. Nothing comes where
 * that one is older, has other settings, or dies: the node is then taken over as after a restart.
 */
export class Heir {
  readonly offer: DatapathOffer;
  readonly #log: Log;
  readonly #path: string;
  #socket: LocalSocket | undefined;
  #promised = false;
  #descriptors: number[] = [];

  constructor(options: {
    readonly runDir: string;
    readonly port: number;
    readonly listen: readonly string[];
    readonly log: Log;
  }) {
    const { runDir, port, listen, log } = options;
    this.offer = { version: OFFER_VERSION, port, listen };
    this.#log = log;
    this.#path = heirSocket(runDir);
  }

  /** From now on something can come. For one weftd of a node at a time. Where nothing can be listened on nothing comes. */
  listen(): void {
    try {
      this.#socket = LocalSocket.listen(this.#path, (request) => this.#receive(request));
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      this.#log.warn('what the weftd before has open cannot be taken over', { fault: error.line });
    }
  }

  /** Whether something can come. */
  get listens(): boolean {
    return this.#socket !== undefined;
  }

  /** The predecessor said that it will send. */
  promised(): void {
    this.#promised = true;
  }

  /** Resolves when all that may come is there; to be called once the predecessor has let the state folder go. */
  async arrived(): Promise<void> {
    const giveUpAt = performance.now() + ARRIVAL_MS;
    // Each look lets the event loop go round: it may have stood still for longer than all of the patience.
    for (let more = LAST_LOOKS; this.#promised && this.#descriptors.length === 0 && more > 0; ) {
      if (performance.now() > giveUpAt) more--;
      await delay(LOOK_MS);
    }
    this.stopListening();
  }

  /** Harmless when repeated. */
  stopListening(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** What came; undefined where nothing did. */
  get inheritance(): Inheritance | undefined {
    const [stream, tun, ...sockets] = this.#descriptors;
    if (stream === undefined || tun === undefined) return undefined;
    return { devices: { tun, sockets }, tunnels: () => this.#askForTunnels(), close: () => this.close() };
  }

  /** Lets go of what came. Harmless when repeated. */
  close(): void {
    this.stopListening();
    for (const fd of this.#descriptors.splice(0)) closeSync(fd);
  }

  #receive(request: LocalRequest): void {
    if (this.#descriptors.length === 0) this.#descriptors = readDevices(request) ?? [];
    request.drop();
  }

  async #askForTunnels(): ReturnType<Inheritance['tunnels']> {
    // The datapath has opened the devices by now, for itself.
    const [stream, ...devices] = this.#descriptors.splice(0);
    for (const fd of devices) closeSync(fd);
    const bytes = await askForTunnels(stream!, TUNNELS_WITHIN_MS);
    if (bytes === undefined) {
      this.#log.warn('the weftd before hands its tunnels over no more; they are made anew');
      return undefined;
    }
    const handed = decodeHandover(bytes, clock());
    bytes.fill(0);
    if (handed.ok) return handed.value;
    const fault = handed.reason;
    this.#log.warn('what the weftd before hands over cannot be read; tunnels are made anew', { fault });
    return undefined;
  }
}
