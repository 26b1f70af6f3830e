import { type CounterName, joinCounters } from '../base/counters.ts';
import { CNI_COUNTERS } from '../cni/cni-counters.ts';
import { GROUND_COUNTERS } from '../ground/ground-counters.ts';
import { NODE_COUNTERS } from '../node/node-counters.ts';
import { DATAPATH_COUNTERS } from '../router/datapath/datapath-counters.ts';

/** All that a daemon counts: its node, the datapath, the calls of the container runtime, the repairs of the host's network. */
export const DAEMON_COUNTERS = joinCounters(NODE_COUNTERS, DATAPATH_COUNTERS, CNI_COUNTERS, GROUND_COUNTERS);

/** A name that a daemon counts under. */
export type DaemonCounter = CounterName<typeof DAEMON_COUNTERS>;
