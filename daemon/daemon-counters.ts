import { type CounterName, joinCounters } from '../base/counters.ts';
import { CNI_COUNTERS } from '../cni/cni-counters.ts';
import { FLOW_COUNTERS } from '../flows/flow-counters.ts';
import { GROUND_COUNTERS } from '../ground/ground-counters.ts';
import { HEALTH_COUNTERS } from '../host/health-counters.ts';
import { METRICS_COUNTERS } from '../host/metrics/metrics-counters.ts';
import { NODE_COUNTERS } from '../node/node-counters.ts';
import { DATAPATH_COUNTERS } from '../router/datapath/datapath-counters.ts';
import { TRAFFIC_COUNTERS } from '../router/datapath/traffic-counters.ts';
import { POD_COUNTERS } from './pods/pod-counters.ts';
import { ADMISSION_COUNTERS } from './policy/admission-counters.ts';
import { PROBE_COUNTERS } from './probe/probe-counters.ts';

/**
 * All that a daemon counts: its node, the datapath, CNI calls, repairs of the host's network and in pods, the gate, the ports
 * for health and metrics, flows, probes.
 */
export const DAEMON_COUNTERS = joinCounters(
  NODE_COUNTERS,
  DATAPATH_COUNTERS,
  TRAFFIC_COUNTERS,
  CNI_COUNTERS,
  GROUND_COUNTERS,
  POD_COUNTERS,
  HEALTH_COUNTERS,
  METRICS_COUNTERS,
  ADMISSION_COUNTERS,
  FLOW_COUNTERS,
  PROBE_COUNTERS,
);

/** A name that a daemon counts under. */
export type DaemonCounter = CounterName<typeof DAEMON_COUNTERS>;
