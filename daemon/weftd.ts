import { formatRange } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import { guardRanges } from '../ground/host-kernel.io.ts';
import { stderrLog } from '../host/log.io.ts';
import type { Log } from '../host/log.ts';
import { endProgram, runProgram } from '../host/program.io.ts';
import { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { keepOutOfDumps } from '../native/keep-out-of-dumps.ts';
import { Daemon, type Outlived } from './daemon.io.ts';
import type { DatapathBequest } from './handover/datapath-bequest.io.ts';
import { OWN_LINKS } from './own-links.ts';
import { readCluster } from './parts/cluster.io.ts';
import { bequeath } from './pods/bequeath.io.ts';
import { removeForgottenGate } from './policy/forgotten-gate.io.ts';
import { loadConfig } from './settings/config.io.ts';
import { type Config, helpText } from './settings/config.ts';
import { untilVacant } from './take-over.io.ts';

/** The entry point of `weftd`. Exit status: 0 ended by a signal, 1 a fault of the environment, 2 of the settings. */

const intent = loadConfig(process.argv.slice(2), process.env);
await runProgram({ name: 'weftd', help: helpText, run: start }, intent);

function start(config: Config): Promise<void> {
  return config.rulesOnly ? guard(config) : run(config);
}

/** Sets what keeps packets for pods from leaving in clear, with the ranges of these settings, and ends. */
async function guard(config: Config): Promise<void> {
  const { ranges } = await readCluster(config);
  const client = RouteClient.open();
  const rules = { ...OWN_LINKS, ranges, masquerade: config.masquerade, port: config.port };
  await guardRanges(client, rules).finally(() => client.close());
}

async function run(config: Config): Promise<void> {
  const log = stderrLog({ level: config.logLevel, format: config.logFormat });
  if (!keepOutOfDumps()) log.warn('the kernel may write keys into core files of this process');
  let daemon: Daemon | undefined;
  // A start that a signal cuts off leaves what a kill leaves; the next one copes with that.
  const onSignal = (): unknown => daemon?.stop().then(() => process.exit(0)) ?? process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, onSignal);
  daemon = await Daemon.start(config, log, { returned: false, onFault: end });
  for (;;) {
    const outlived: Outlived = await daemon.outlived;
    const left = await daemon.yield(outlived.by === 'successor' ? outlived.version : undefined);
    void bequeath(left.pods, config.runDir);
    daemon = undefined;
    if (outlived.by === 'other-ranges') {
      const { ranges: ringRanges } = outlived;
      const ranges = ringRanges.map(formatRange).join(' ');
      log.info('the ring has other ranges than a new one would get; starting again with them', { ranges });
      daemon = await Daemon.start(config, log, { returned: false, ringRanges, onFault: end });
      continue;
    }
    if (config.policy) void removeForgottenGate(config, log);
    log.info('another weftd serves this node now; standing by');
    daemon = await returnWhenVacant(config, log, left.datapath);
  }
}

/**
 * Stands by until no weftd serves the node, then serves it again, with the datapath if that is still there. Where that start
 * fails, it stands by once more.
 */
async function returnWhenVacant(
  config: Config,
  log: Log,
  datapath: DatapathBequest | undefined,
): Promise<Daemon> {
  for (;;) {
    await untilVacant(config, () => datapath?.servedByAnother());
    try {
      const daemon = await Daemon.start(config, log, {
        returned: true,
        left: datapath?.reclaim(),
        onFault: end,
      });
      log.warn('nobody served this node any more; serving it again');
      return daemon;
    } catch (error) {
      if (!(error instanceof WeftError)) throw error;
      // Several may stand by, and one is quicker. All else may pass: room on the disk, a port that is taken.
      if (error.code === 'E_STATE_LOCKED') continue;
      log.error('nobody serves this node, and this weftd cannot', { fault: error.line }, error.line);
    }
  }
}

function end(error: unknown): never {
  endProgram('weftd', error);
}
