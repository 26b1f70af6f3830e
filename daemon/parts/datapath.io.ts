import { setTimeout as delay } from 'node:timers/promises';
import type { Counters } from '../../base/counters.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { WeftError } from '../../base/weft-error.ts';
import { clock } from '../../host/clock.io.ts';
import type { Log } from '../../host/log.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { chooseDatapath } from '../../router/datapath/choose-datapath.ts';
import type { Datapath, OpenDatapath } from '../../router/datapath/datapath.ts';
import { DATAPATH_COUNTERS, type DatapathCounter } from '../../router/datapath/datapath-counters.ts';
import { DATAPATHS } from '../../router/datapath/datapaths.io.ts';
import { KeptSessions } from '../../router/datapath/kept-sessions.ts';
import { type HandedTunnels, wipeHanded } from '../../router/tunnel/handover/handed-tunnels.ts';
import { DatapathBequest } from '../handover/datapath-bequest.io.ts';
import { agreedVersion, type DatapathOffer } from '../handover/datapath-offer.ts';
import type { Inheritance } from '../handover/inheritance.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import { OWN_LINKS } from '../own-links.ts';
import { type Config, listenHosts } from '../settings/config.ts';

/**
 * A weftd that left its devices to an heir which then ended holds them until it sees that another one serves the node
 * (`DatapathBequest.servedByAnother`), a second or so. Whoever has taken the node meanwhile waits for them this long.
 */
const BUSY_PATIENCE_MS = 4_000;
const BUSY_LOOK_MS = 20;

interface DatapathPartOptions {
  readonly config: Config;
  readonly self: PeerId;
  readonly overlayMtu: number;
  readonly counters: Counters<DatapathCounter>;
  /** What the weftd before leaves. */
  readonly inheritance: Inheritance | undefined;
  readonly log: Log;
}

/** The datapath of a weftd, which may have been another's before, and may be another's afterwards. */
export class DatapathPart {
  readonly opened: OpenDatapath;
  readonly #options: DatapathPartOptions;
  /** Only where it may be handed over are keys kept for that. */
  readonly #kept: KeptSessions | undefined;
  #bequeathed = false;

  private constructor(opened: OpenDatapath, options: DatapathPartOptions) {
    this.opened = opened;
    this.#options = options;
    this.#kept = options.config.takeOver ? new KeptSessions(opened.datapath) : undefined;
  }

  /** Chooses and opens it. Rejects as {@link chooseDatapath} throws and `DatapathKind.open` rejects. */
  static async open(options: DatapathPartOptions): Promise<DatapathPart> {
    const { config, self, overlayMtu, counters, inheritance } = options;
    const kind = chooseDatapath(config.datapath, DATAPATHS);
    const [port, listen, tunName] = [config.port, listenHosts(config), OWN_LINKS.tun];
    const inherited = inheritance?.devices;
    const patienceMs = config.takeOver ? BUSY_PATIENCE_MS : 0;
    const opened = await whileBusy(patienceMs, () =>
      kind.open({ self, port, listen, tunName, overlayMtu, counters, clock, inherited }),
    );
    return new DatapathPart(opened, options);
  }

  /** Its side of the border with the node. */
  get border(): Datapath {
    return this.#kept ?? this.opened.datapath;
  }

  /** Whether the node is to wait for tunnels of the weftd before. */
  get inherits(): boolean {
    return this.#options.inheritance !== undefined;
  }

  /**
   * Starts the node by `startNode`, and begins to move packets: at once, or from where the weftd before ends, which is told to.
   * `onFault`: what ends it.
   */
  async begin(
    node: WeftNode,
    loop: NodeLoop,
    { startNode, onFault }: { startNode: () => void; onFault: (error: unknown) => void },
  ): Promise<void> {
    const { inheritance, log } = this.#options;
    const start = (): void => this.opened.start(loop.watched(node.datapathEvents), onFault);
    if (inheritance === undefined) {
      start();
      startNode();
      return;
    }
    startNode();
    const askedAt = clock();
    const handed = await inheritance.tunnels();
    let ms = 0;
    node.handover.resume(handed, clock(), () => {
      start();
      ms = Math.round(clock() - askedAt);
    });
    inheritance.close();
    if (handed === undefined) return;
    this.#countOn(handed);
    wipeHanded(handed);
    log.info('goes on with the tunnels of the weftd before', { tunnels: handed.tunnels.length, ms });
  }

  /** See {@link agreedVersion}. */
  agree(offer: DatapathOffer | undefined): number | undefined {
    const { port } = this.#options.config;
    const sockets = this.#kept && this.opened.devices?.sockets.length;
    return agreedVersion({ port, listen: listenHosts(this.#options.config), sockets }, offer);
  }

  /** Leaves it to the weftd that waits for it, by the `version` agreed on; undefined where none does: closed with all else. */
  bequeath(node: WeftNode, version: number): DatapathBequest | undefined {
    if (this.#kept === undefined) return undefined;
    const { config, counters } = this.#options;
    const left = DatapathBequest.send(config.runDir, version, {
      datapath: this.opened,
      kept: this.#kept,
      node,
      counters,
    });
    this.#bequeathed = left !== undefined;
    return left;
  }

  /** Ends it, but where it was left to another weftd. */
  close(): void {
    if (this.#bequeathed) return;
    this.#kept?.forgetAll();
    this.opened.close();
  }

  #countOn({ counters }: HandedTunnels): void {
    for (const [name, count] of Object.entries(counters))
      if (Object.hasOwn(DATAPATH_COUNTERS, name)) this.#options.counters.add(name as DatapathCounter, count);
  }
}

/** Opens what another process may be about to let go. */
async function whileBusy<T>(patienceMs: number, open: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const busy = error instanceof WeftError && error.code === 'E_TUN_BUSY';
      if (!busy || performance.now() > giveUpAt) throw error;
    }
    await delay(BUSY_LOOK_MS);
  }
}
