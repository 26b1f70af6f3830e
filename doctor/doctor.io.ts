import { dirname } from 'node:path';
import { endpointHost, endpointPort, parseEndpoint } from '../base/endpoint.ts';
import { parseCidr } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { ReportResult } from '../control/control-protocol.ts';
import type { PeersResult } from '../control/peer-status.ts';
import { probeTcp, type ReachOutcome } from '../host/tcp-probe.io.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { canaryFinding } from './canary.io.ts';
import { cniFindings } from './cni-findings.ts';
import { diskFindings } from './disk-findings.ts';
import { type Finding, fault, skipped } from './finding.ts';
import { readCniFolders, readFolder } from './folder-facts.io.ts';
import { readHostFacts } from './host-facts.io.ts';
import { DEFAULT_CNI_CONFIG_FOLDER, type HostSettings } from './host-facts.ts';
import { hostFindings } from './host-findings.ts';
import { peerFindings, type TcpAttempt, versionFindings, weftdFindings } from './mesh-findings.ts';

/** What {@link doctor} goes by. */
export interface DoctorOptions {
  readonly runDir: string;
  /** Settings that a weftd would start with here: for a preflight. */
  readonly planned: HostSettings;
  /** Faults of those settings, one finding each. */
  readonly plannedFaults: readonly WeftError[];
  readonly own: OwnLinks;
  readonly ownVersion: string;
}

/** How long a peer's TCP port may take to answer, and how many are tried at a time. */
const TCP_TIMEOUT_MS = 2_000;
const TCP_AT_ONCE = 32;
/** Peers whose port is tried; those without a tunnel first. */
const MAX_PEERS_TRIED = 256;

/**
 * Goes through what a node needs and has, and tells each finding as it is made. Looks and asks; the only packets it
 * sends are TCP connections to peers' control ports, and the canary. Never rejects for what it finds.
 */
export async function* doctor(options: DoctorOptions): AsyncGenerator<Finding> {
  const { runDir, planned, plannedFaults, own, ownVersion } = options;
  let report: ReportResult | undefined;
  try {
    report = await askDaemon(runDir, { op: 'report' });
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    if (error.code !== 'E_NO_DAEMON') yield fault('weftd', error.message, error.remedy);
  }
  if (report === undefined) {
    yield skipped('weftd', 'none runs here, so this looks at what one would need');
    for (const { message, remedy } of plannedFaults) yield fault('settings', message, remedy);
  }
  const settings = report === undefined ? planned : settingsOf(report, runDir);
  yield* hostFindings(await readHostFacts(settings, own, report !== undefined), settings);
  yield* diskFindings([readFolder(settings.stateDir), readFolder(settings.runDir)]);
  yield* cniFindings(readCniFolders(settings));
  if (report === undefined) return;
  const { status, peers } = report;
  const versionByPeer = new Map(
    peers.peers.flatMap(({ peerId, version }) => (version === '' ? [] : [[peerId, version] as const])),
  );
  const wayByPeer = new Map(peers.peers.map((peer) => [peer.peerId, peer]));
  const facts = { status, tcpByPeer: await tryPeers(peers), wayByPeer, versionByPeer, ownVersion };
  yield* weftdFindings(facts);
  yield* versionFindings(facts);
  yield* peerFindings(facts);
  yield await canaryFinding(peers, own);
}

function settingsOf({ settings }: ReportResult, runDir: string): HostSettings {
  const { ranges, cniConfig } = settings;
  return {
    ...settings,
    runDir,
    ranges: ranges.flatMap((text) => parseCidr(text) ?? []),
    writesCniConfig: cniConfig !== null,
    cniConfigFolder: cniConfig === null ? DEFAULT_CNI_CONFIG_FOLDER : dirname(cniConfig),
  };
}

/** Tries the TCP port of each peer, at all endpoints that it offers, and keeps the best outcome. */
async function tryPeers({ peers }: PeersResult): Promise<Map<string, TcpAttempt>> {
  const tried = peers
    .filter(({ state }) => state !== 'dead' && state !== 'left')
    .sort((a, b) => Number(a.state === 'connected') - Number(b.state === 'connected'))
    .slice(0, MAX_PEERS_TRIED);
  const attempts = tried.flatMap(({ peerId, endpoints }) =>
    endpoints.flatMap((text) => {
      const at = parseEndpoint(text);
      return at === undefined ? [] : [{ peerId, at }];
    }),
  );
  const bestByPeer = new Map<string, TcpAttempt>();
  for (let from = 0; from < attempts.length; from += TCP_AT_ONCE) {
    await Promise.all(
      attempts.slice(from, from + TCP_AT_ONCE).map(async ({ peerId, at }) => {
        const outcome = await probeTcp(endpointHost(at), endpointPort(at), TCP_TIMEOUT_MS);
        const best = bestByPeer.get(peerId);
        if (best === undefined || RANK[outcome.outcome] > RANK[best.outcome.outcome])
          bestByPeer.set(peerId, { endpoint: at, outcome });
      }),
    );
  }
  return bestByPeer;
}

const RANK: Readonly<Record<ReachOutcome['outcome'], number>> = {
  open: 3,
  refused: 2,
  silent: 1,
  unreachable: 0,
};
