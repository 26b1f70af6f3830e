import type { Counters } from '../../base/counters.ts';
import { after, type Instant } from '../../base/instant.ts';
import { clock } from '../../host/clock.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import type { InheritedDevices, OpenDatapath } from '../../router/datapath/datapath.ts';
import { DATAPATH_COUNTERS, type DatapathCounter } from '../../router/datapath/datapath-counters.ts';
import type { KeptSessions } from '../../router/datapath/kept-sessions.ts';
import { type HandedTunnels, wipeHanded } from '../../router/tunnel/handover/handed-tunnels.ts';
import { encodeHandover } from '../../router/tunnel/handover/handover-format.ts';
import type { Bequest } from '../pods/held-pods.io.ts';
import { sendDevices } from './devices-message.io.ts';
import { GiverStream } from './handover-stream.io.ts';
import type { Inheritance } from './inheritance.ts';

/** How long packets are carried for an heir that does not ask: longer than the manifest's startup probe lets it try. */
const ASKED_WITHIN_MS = 180_000;
/** From the end of the stream to the end of the heir. */
const LETS_GO_WITHIN_MS = 1_000;
/** Handshakes, pings and paths of the tunnels go on meanwhile. */
const TICK_MS = 50;

/** What a weftd that lets a node go still has. */
interface Bequeathed {
  readonly datapath: OpenDatapath;
  /** What is sent to its tunnels, with their keys. */
  readonly kept: KeptSessions;
  readonly node: WeftNode;
  readonly counters: Counters<DatapathCounter>;
}

/** What is left of a weftd that made room, for its successor. */
export interface Left {
  readonly pods: readonly Bequest[];
  /** Carries packets until the successor does; undefined where it was closed. */
  readonly datapath: DatapathBequest | undefined;
}

/**
 * The datapath of a weftd that has let all else of its node go. It carries packets until its heir asks for the tunnels; then
 * it stops, hands them over, and wipes the keys here. If the heir dies before it asks, this process may go on with them
 * itself: it is an {@link Inheritance}. Afterwards there is nothing to go on with, for whoever had the keys last may have
 * used them.
 */
export class DatapathBequest implements Inheritance {
  readonly devices: InheritedDevices;
  readonly #of: Bequeathed;
  readonly #stream: GiverStream;
  readonly #ticking: NodeJS.Timeout;
  readonly #patience: NodeJS.Timeout;
  #heirGoneAt: Instant | undefined;
  #ended = false;

  private constructor(of: Bequeathed, devices: InheritedDevices, stream: number) {
    this.#of = of;
    this.devices = devices;
    this.#stream = new GiverStream(stream, {
      onReady: () => void this.#give(),
      onGone: () => {
        this.#heirGoneAt ??= clock();
      },
    });
    this.#ticking = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#patience = setTimeout(() => this.close(), ASKED_WITHIN_MS).unref();
  }

  /**
   * Sends the devices to the weftd that waits for them, by the `version` that was agreed on; undefined where none waits:
   * nothing has changed then.
   */
  static send(runDir: string, version: number, of: Bequeathed): DatapathBequest | undefined {
    const { devices } = of.datapath;
    const stream = devices && sendDevices(runDir, version, devices);
    return stream === undefined ? undefined : new DatapathBequest(of, devices!, stream);
  }

  /** For this process to go on with, which nothing closes any more meanwhile; undefined where nothing is left. */
  reclaim(): this | undefined {
    if (this.#ended) return undefined;
    clearTimeout(this.#patience);
    return this;
  }

  /** Another weftd serves the node. If it is not the heir, this must not stand in its way. */
  servedByAnother(): void {
    // An heir that ends lets the state folder go a moment after the stream.
    if (this.#heirGoneAt !== undefined && clock() > after(this.#heirGoneAt, LETS_GO_WITHIN_MS)) this.close();
  }

  async tunnels(): Promise<HandedTunnels | undefined> {
    if (this.#ended) return undefined;
    const handed = this.#stopAndTell();
    this.#end();
    this.#stream.close();
    return handed;
  }

  close(): void {
    if (!this.#ended) this.#end();
    this.#stream.close();
  }

  async #give(): Promise<void> {
    if (this.#ended) return;
    const handed = this.#stopAndTell();
    const bytes = encodeHandover(handed, clock());
    wipeHanded(handed);
    // Packets wait until the heir has it, so all else comes after that.
    const given = this.#stream.give(bytes);
    this.#end();
    await given;
  }

  /** Stops; how the tunnels stand. {@link #end} has to follow. */
  #stopAndTell(): HandedTunnels {
    const { datapath, kept, node, counters } = this.#of;
    datapath.stop();
    const counts = Object.entries(counters.snapshot()).filter(([name]) => name in DATAPATH_COUNTERS);
    return node.handover.handOver(kept, Object.fromEntries(counts));
  }

  #end(): void {
    this.#ended = true;
    clearInterval(this.#ticking);
    clearTimeout(this.#patience);
    this.#of.kept.forgetAll();
    this.#of.datapath.close();
  }

  #tick(): void {
    const { tunnels } = this.#of.node;
    tunnels.tick(clock());
    // Upper layers have ended: nobody hears what peers say to them.
    while (tunnels.poll() !== undefined);
  }
}
