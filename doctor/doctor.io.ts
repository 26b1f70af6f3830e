import { dirname } from 'node:path';
import { parseCidr } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { ReportResult } from '../control/control-protocol.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { canaryFinding } from './canary.io.ts';
import { cniFindings } from './cni-findings.ts';
import { diskFindings } from './disk-findings.ts';
import { type Finding, fault, skipped } from './finding.ts';
import { readCniFolders, readFolder } from './folder-facts.io.ts';
import { readHostFacts } from './host-facts.io.ts';
import { DEFAULT_CNI_CONFIG_FOLDER, type HostSettings } from './host-facts.ts';
import { hostFindings } from './host-findings.ts';
import { peerFindings, versionFindings, weftdFindings } from './mesh-findings.ts';
import { tryPeers } from './try-peers.io.ts';

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
