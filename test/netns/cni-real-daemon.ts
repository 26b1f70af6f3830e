import type { ChildProcess } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askDaemon } from '../../control/control-client.io.ts';
import type { CniDaemon, CniDaemonOptions } from './cni-suite.ts';
import { eventually, type Namespace } from './namespaces.ts';
import { newSecret, WEFTD } from './weftd-host.ts';

const NET_ADMIN_ALONE = ['--bounding-set', '-all,+net_admin', '--inh-caps', '-all'];
const WHOLE_RANGE = '10.32.0.0/16';

/** How weftd is started. */
interface RealDaemonOptions extends CniDaemonOptions {
  /** More of its arguments. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The IPv4 range, in place of the one that follows from `capacity`. */
  readonly range?: string;
}

/** weftd in the node's namespace, a cluster of its own, with CAP_NET_ADMIN and no other capability. */
export class RealDaemon implements CniDaemon {
  readonly runDir: string;
  readonly repairsHost = true;
  readonly #node: Namespace;
  #process: ChildProcess | undefined;
  #log = '';

  /** All that this weftd has logged. */
  get log(): string {
    return this.#log;
  }

  /** The process that runs; undefined where none does. */
  get process(): ChildProcess | undefined {
    return this.#process;
  }

  constructor(node: Namespace, runDir: string) {
    this.#node = node;
    this.runDir = runDir;
    chmodSync(runDir, 0o700);
    writeFileSync(join(runDir, 'secret'), newSecret(), { mode: 0o600 });
  }

  /** Each capacity is a cluster of its own, for a cluster keeps the range it began with. */
  async start({ capacity, flags = [], env = {}, range }: RealDaemonOptions = {}): Promise<void> {
    const settings = {
      '--name': 'node',
      '--state-dir': join(this.runDir, capacity === undefined ? 'state' : `state-${capacity}`),
      '--run-dir': this.runDir,
      '--secret-file': join(this.runDir, 'secret'),
      '--ipalloc-range': range ?? (capacity === undefined ? WHOLE_RANGE : smallRange(capacity)),
      '--ipalloc-init': 'seed',
    };
    const child = this.#node.start('setpriv', [
      ...NET_ADMIN_ALONE,
      'env',
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      WEFTD,
      ...Object.entries(settings).flat(),
      ...flags,
    ]);
    this.#process = child;
    this.#log = '';
    child.stderr?.on('data', (data: Buffer) => {
      this.#log += data.toString();
    });
    // The socket answers before deletions that waited are carried out; the log says when all is done.
    await eventually(
      'weftd to serve',
      () => {
        if (child.exitCode !== null) throw new Error(`weftd ended: ${this.#log}`);
        return this.#log.includes('serving');
      },
      20_000,
    );
    if (this.#log.includes('could not be put right')) throw new Error(this.#log);
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#process) await this.#node.stop(this.#process, signal);
    this.#process = undefined;
  }

  async allocations(): Promise<readonly string[]> {
    return [...(await this.addressesByKey()).keys()];
  }

  /** What each `containerId/ifname` has been given. */
  async addressesByKey(): Promise<Map<string, readonly string[]>> {
    const { allocations } = await askDaemon<'ipam'>(this.runDir, { op: 'ipam' }, { timeoutMs: 2000 });
    return new Map(
      allocations
        .filter(({ containerId }) => containerId !== '(this node)')
        .map(({ containerId, ifname, addresses }) => [`${containerId}/${ifname}`, addresses]),
    );
  }
}

/** The block with room for about `capacity` pods; the smallest that weftd takes has 8 addresses. */
function smallRange(capacity: number): string {
  return `10.32.0.0/${Math.min(32 - Math.ceil(Math.log2(capacity)), 29)}`;
}
