import type { ReportResult } from '../../control/control-protocol.ts';
import type { FlowsResult, FlowTotalsResult } from '../../control/flow-request.ts';
import type { PolicyStatusResult } from '../../control/npc-request.ts';
import type { PeersResult } from '../../control/peer-status.ts';
import type { ClusterTunnelsResult } from '../../control/tunnels-request.ts';
import { dropReasons } from '../../daemon/status/drop-reasons.ts';
import { type Picture, SERIES_POINTS, SERIES_STEP_MS } from '../../ui/picture/picture.ts';
import { PictureMaker } from '../../ui/picture/picture-maker.ts';
import type { PretendedCluster } from './pretended-cluster.ts';

/** Totals are of so long. */
const SECONDS = 10;
/** A report is asked for with each fifth picture. */
const REPORT_STEPS = 5;

/** Makes pictures of a cluster as somebody sees it who has looked for `steps` steps, the last of them at `endMs`. */
export class PictureHistory {
  readonly #cluster: PretendedCluster;
  readonly #maker = new PictureMaker(dropReasons());
  #step = 0;
  #atMs: number;

  constructor(cluster: PretendedCluster, endMs: number, steps = SERIES_POINTS) {
    this.#cluster = cluster;
    this.#atMs = endMs - steps * SERIES_STEP_MS;
    this.#maker.takePolicy(cluster.npc({ op: 'policyStatus' }) as PolicyStatusResult);
    for (let i = 1; i < steps; i++) this.next();
  }

  /** The picture two seconds later. */
  next(): Picture {
    this.#atMs += SERIES_STEP_MS;
    const at = this.#atMs;
    const maker = this.#maker;
    if (this.#step++ % REPORT_STEPS === 0)
      maker.takeReport(this.#cluster.weftd({ op: 'report' }, at) as ReportResult, at);
    maker.takePeers(this.#cluster.weftd({ op: 'peers' }, at) as PeersResult, at);
    maker.takeTunnels(this.#cluster.weftd({ op: 'clusterTunnels' }, at) as ClusterTunnelsResult, at);
    const question = { op: 'flowTotals', seconds: SECONDS, wait: false, by: 'bytes', limit: 1000 } as const;
    maker.takeTotals(this.#cluster.weftd(question, at) as FlowTotalsResult, at);
    if (this.#step % 4 === 0) {
      const drops = { op: 'flows', want: 'follow', cursor: '', limit: 100, filter: {} } as const;
      maker.takeFlows(this.#cluster.weftd(drops, at) as FlowsResult, at);
    }
    return maker.picture(at);
  }

  tunnel(id: string): unknown {
    return this.#maker.history(id);
  }
}
