import type { Counters } from '../../base/counters.ts';
import type { GaugeReading } from '../../base/gauges.ts';
import type { Instant } from '../../base/instant.ts';
import { type PeerId, shortPeerId } from '../../base/peer-id.ts';
import type { Warning } from '../../base/warning.ts';
import type { NodeSettings } from '../../control/node-settings.ts';
import type { PolicyStatus } from '../../control/policy-request.ts';
import type { ProcessRuntime } from '../../host/own-process.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import type { OpenDatapath } from '../../router/datapath/datapath.ts';
import type { DaemonCounter } from '../daemon-counters.ts';
import type { SoughtSeed } from '../peer-seeds.io.ts';

/** What the views of this folder look at. */
export interface StatusContext {
  readonly node: WeftNode;
  readonly name: string;
  readonly version: string;
  readonly datapath: OpenDatapath;
  readonly counters: Counters<DaemonCounter>;
  /** All gauges now, by name. */
  readonly gauges: () => Readonly<Record<string, GaugeReading>>;
  /** Bytes of the largest packet of the overlay. */
  readonly overlayMtu: number;
  /** What the node was told to look for. */
  readonly sought: () => readonly SoughtSeed[];
  readonly now: () => Instant;
  /** Undefined where no gate for policies is kept. */
  readonly policy: (() => PolicyStatus) | undefined;
  readonly settings: NodeSettings;
  /** Of this process. */
  readonly runtime: () => ProcessRuntime;
  /** What the parts around the node warn of. */
  readonly warnings: () => readonly Warning[];
}

/** The name a peer gave itself, else the start of its id. */
export function nameOf(context: Pick<StatusContext, 'node' | 'name'>, peer: PeerId): string {
  if (peer === context.node.peer) return context.name;
  return context.node.infoOf(peer)?.name ?? shortPeerId(peer);
}
