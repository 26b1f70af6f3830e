import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../base/weft-error.ts';
import type { ControlRequest, ControlResults } from '../control/control-protocol.ts';
import { MAX_FLOW_ROWS, MAX_TOTAL_ROWS, MAX_TOTAL_SECONDS } from '../control/flow-request.ts';
import type { NpcRequest, NpcResults } from '../control/npc-request.ts';
import { type Picture, SERIES_STEP_MS } from './picture/picture.ts';
import { type DropReasons, PictureMaker } from './picture/picture-maker.ts';
import type { TunnelHistory } from './picture/tunnel-book.ts';

/** Who is asked for what the page shows: weftd and weft-npc of this node. Both reject with WeftErrors. */
export interface AskedPrograms {
  weftd<Op extends keyof ControlResults>(
    request: ControlRequest & { readonly op: Op },
    /** Nobody waits for the answer any more. */
    signal?: AbortSignal,
  ): Promise<ControlResults[Op]>;
  npc<Op extends keyof NpcResults>(request: NpcRequest & { readonly op: Op }): Promise<NpcResults[Op]>;
}

interface SourceOptions {
  readonly asked: AskedPrograms;
  /** Flows of all nodes, and not of this one alone. */
  readonly cluster: boolean;
  readonly reasons: DropReasons;
  /** A new picture, while it is watched. */
  readonly onPicture: (picture: Picture) => void;
}

/** What changes rarely, or costs more, is asked for so often. */
const REPORT_MS = 10_000;
/** The shortest time of which totals are asked for. */
const TOTALS_S = 10;
/** For each node of the cluster, the pause between two questions to all of them is longer by this. */
const CLUSTER_MS = 10;
/** A picture that is older is made anew for whoever asks. */
const FRESH_MS = 2 * SERIES_STEP_MS;

/** Asks for what the page shows, while somebody watches; else nothing is asked, and weftd does nothing for the page. */
export class PictureSource {
  readonly #options: SourceOptions;
  readonly #maker: PictureMaker;
  #watching: AbortController | undefined;
  #last: Picture | undefined;
  #making: Promise<Picture> | undefined;
  #reportAt = -Infinity;
  #totalsAt = -Infinity;
  #tunnelsAt = -Infinity;
  #nodeCount = 1;
  #isRemembered = false;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#maker = new PictureMaker(options.reasons);
  }

  /** Begins to make pictures; nothing where that is done already. */
  watch(): void {
    if (this.#watching !== undefined) return;
    this.#watching = new AbortController();
    const { signal } = this.#watching;
    void this.#makeUntil(signal);
    void this.#followUntil(signal);
  }

  /** Makes no more of them. */
  rest(): void {
    this.#watching?.abort();
    this.#watching = undefined;
  }

  /** A picture of now, or of a moment ago. Never rejects: it says itself that weftd does not answer. */
  async picture(): Promise<Picture> {
    const last = this.#last;
    if (last !== undefined && Date.now() - last.at < FRESH_MS) return last;
    return this.#make({ withFlows: true });
  }

  history(tunnel: string): TunnelHistory | undefined {
    return this.#maker.history(tunnel);
  }

  async #makeUntil(signal: AbortSignal): Promise<void> {
    // The first one comes at once, without what all other nodes have to be asked for.
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const begun = performance.now();
      const picture = await this.#make({ withFlows: !isFirst });
      if (signal.aborted) return;
      this.#options.onPicture(picture);
      if (isFirst) continue;
      const restMs = SERIES_STEP_MS - (performance.now() - begun);
      await delay(Math.max(restMs, SERIES_STEP_MS / 4), undefined, { signal, ref: false }).catch(() => {});
    }
  }

  #make(how: { readonly withFlows: boolean }): Promise<Picture> {
    this.#making ??= this.#ask(how).finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async #ask({ withFlows }: { readonly withFlows: boolean }): Promise<Picture> {
    const { asked } = this.#options;
    const maker = this.#maker;
    try {
      const isReportDue = performance.now() - this.#reportAt >= REPORT_MS;
      if (isReportDue) {
        const [report, policy] = await Promise.all([
          asked.weftd({ op: 'report' }),
          asked.npc({ op: 'policyStatus' }).catch(noneIfWeft),
        ]);
        this.#reportAt = performance.now();
        maker.takeReport(report, Date.now());
        maker.takePolicy(policy);
        maker.takePeers(report.peers, Date.now());
        this.#nodeCount = 1 + report.peers.peers.length;
      } else maker.takePeers(await asked.weftd({ op: 'peers' }), Date.now());
      maker.takeAway(null);
      // One after the other: each is a question to all nodes.
      if (withFlows) await this.#askTotals();
      if (withFlows) await this.#askTunnels();
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      maker.takeAway(error.message);
      // What a weftd that comes back knows of its peers is another one's.
      this.#reportAt = -Infinity;
    }
    this.#last = maker.picture(Date.now());
    return this.#last;
  }

  /** Of the other nodes. A weftd of before, which knows no such question, leaves them out. */
  async #askTunnels(): Promise<void> {
    const { asked, cluster } = this.#options;
    if (!cluster || performance.now() - this.#tunnelsAt < Math.max(REPORT_MS, this.#clusterPauseMs)) return;
    this.#tunnelsAt = performance.now();
    try {
      this.#maker.takeTunnels(await asked.weftd({ op: 'clusterTunnels' }), Date.now());
    } catch (error) {
      if (!(error instanceof WeftError) || error.code !== 'E_BAD_REQUEST') throw error;
    }
  }

  get #clusterPauseMs(): number {
    return Math.max(SERIES_STEP_MS, this.#nodeCount * CLUSTER_MS);
  }

  async #askTotals(): Promise<void> {
    const { asked, cluster } = this.#options;
    const pauseMs = cluster ? this.#clusterPauseMs : SERIES_STEP_MS;
    // A little early counts as in time: both are a multiple of the same step.
    if (performance.now() - this.#totalsAt < pauseMs - SERIES_STEP_MS / 2) return;
    const all = cluster ? { cluster } : {};
    const question = { op: 'flowTotals', wait: false, limit: MAX_TOTAL_ROWS, ...all } as const;
    const seconds = Math.max(TOTALS_S, Math.round(pauseMs / 1000));
    try {
      if (!this.#isRemembered) {
        const past = { ...question, seconds: MAX_TOTAL_SECONDS, by: 'connections' } as const;
        this.#maker.takeTotals(await asked.weftd(past), Date.now(), { remembered: true });
        this.#isRemembered = true;
      }
      const totals = await asked.weftd({ ...question, seconds, by: 'bytes' });
      this.#totalsAt = performance.now();
      this.#maker.takeTotals(totals, Date.now());
    } catch (error) {
      if (!(error instanceof WeftError) || error.code !== 'E_FLOWS') throw error;
      this.#maker.takeFlowFault(error.message);
    }
  }

  /** Hears of denied packets, one question after the other. */
  async #followUntil(signal: AbortSignal): Promise<void> {
    const { asked, cluster } = this.#options;
    const filter = { verdict: 'dropped' } as const;
    let isOfAll = cluster;
    for (let cursor = ''; !signal.aborted; ) {
      try {
        const question = {
          op: 'flows',
          want: 'follow',
          cursor,
          limit: MAX_FLOW_ROWS,
          filter,
          ...(isOfAll ? { cluster: true } : {}),
        } as const;
        const answer = await asked.weftd(question, signal);
        if (signal.aborted) return;
        cursor = answer.cursor;
        this.#maker.takeFlows(answer, Date.now());
      } catch (error) {
        if (!(error instanceof WeftError)) throw error;
        if (signal.aborted) return;
        cursor = '';
        // A weftd of before follows its own node alone. One that comes in its place may follow all.
        isOfAll = cluster && error.code !== 'E_BAD_REQUEST';
        await delay(SERIES_STEP_MS, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }
}

/** Nothing where the program does not answer. */
function noneIfWeft(error: unknown): undefined {
  if (!(error instanceof WeftError)) throw error;
}
