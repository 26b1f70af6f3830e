import { type Finding, fault, fine, skipped } from './finding.ts';

/** What was seen in a container runtime's CNI folders. */
export interface CniFacts {
  readonly configFolder: string;
  readonly pluginFolder: string;
  /** Whether weftd was told to write a configuration. */
  readonly expected: boolean;
  /** Configurations in the order in which a runtime looks at them; undefined where there is no such folder. */
  readonly configs:
    | readonly {
        readonly file: string;
        /** Types of the plugins in the chain; undefined where the file is no configuration. */
        readonly types: readonly string[] | undefined;
      }[]
    | undefined;
  /** Names of the executables in the folder of plugins. */
  readonly plugins: readonly string[];
}

const OUR_TYPE = 'weft-net';

/** Whether a container runtime on this host would call Weft, and would find everything that the chain names. */
export function cniFindings(facts: CniFacts): Finding[] {
  const { configFolder, pluginFolder, configs, plugins } = facts;
  const check = 'container runtime';
  if (configs === undefined) return [skipped(check, `there is no ${configFolder}; no runtime uses CNI here`)];
  const ours = configs.find(({ types }) => types?.includes(OUR_TYPE));
  if (ours === undefined) {
    const seen = `no configuration in ${configFolder} names ${OUR_TYPE}`;
    if (!facts.expected) return [skipped(check, `${seen}, so no runtime on this host calls Weft`)];
    return [
      fault(check, seen, 'weftd writes one as soon as it can attach pods: see the other faults, and its log'),
    ];
  }
  const findings: Finding[] = [];
  // Runtimes take the first file that is a configuration, in the order of names (libcni, go-cni).
  const first = configs.find(({ types }) => types !== undefined);
  if (first !== undefined && first !== ours) {
    const seen = `${first.file} sorts before ${ours.file}, so pods get the network of '${first.types![0]}'`;
    findings.push(
      fault(check, seen, `remove ${configFolder}/${first.file}, or rename it so that it sorts later`),
    );
  }
  const missing = ours.types!.filter((type) => !plugins.includes(type));
  if (missing.length > 0) {
    const seen = `${ours.file} names ${missing.join(', ')}, which ${pluginFolder} does not have`;
    findings.push(fault(check, seen, `put ${missing.join(', ')} there, or take it out of the chain`));
  }
  if (findings.length === 0)
    findings.push(fine(check, `${ours.file} is the first configuration, and complete`));
  return findings;
}
