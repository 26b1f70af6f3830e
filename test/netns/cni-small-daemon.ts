import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from './cni-runner.ts';
import type { CniDaemon, CniDaemonOptions } from './cni-suite.ts';
import type { Namespace } from './namespaces.ts';

const DAEMON = fileURLToPath(new URL('./cni-daemon.ts', import.meta.url));

const WEFT_NODE = fileURLToPath(new URL('../../bin/weft-node', import.meta.url));
const NET_ADMIN_ALONE = ['--bounding-set', '-all,+net_admin', '--inh-caps', '-all'];

/** cni-daemon.ts in the node's namespace, with CAP_NET_ADMIN and no other capability: more it must not need. */
export class SmallDaemon implements CniDaemon {
  readonly runDir: string;
  readonly repairsHost = false;
  readonly #node: Namespace;
  #process: ChildProcess | undefined;

  constructor(node: Namespace, runDir: string) {
    this.#node = node;
    this.runDir = runDir;
  }

  async start({ capacity = 200, allocateDelayMs = 0 }: CniDaemonOptions = {}): Promise<void> {
    const program = [WEFT_NODE, DAEMON, this.runDir, String(capacity), String(allocateDelayMs)];
    const child = this.#node.start('setpriv', [...NET_ADMIN_ALONE, ...program]);
    this.#process = child;
    let errors = '';
    child.stderr?.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    const report = await new Promise<string>((resolve, reject) => {
      child.stdout?.once('data', (data: Buffer) => resolve(data.toString()));
      child.once('exit', () => reject(new Error(`the daemon ended: ${errors}`)));
    });
    const { faults } = JSON.parse(report) as { faults: string[] };
    if (faults.length > 0) throw new Error(`the daemon started with faults: ${faults.join('; ')}`);
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#process) await this.#node.stop(this.#process, signal);
    this.#process = undefined;
  }

  async allocations(): Promise<readonly string[]> {
    const answer = await ask(join(this.runDir, 'weft.sock'), { op: 'allocations' });
    const { allocations } = answer.result as { allocations: { containerId: string; ifname: string }[] };
    return allocations.map(({ containerId, ifname }) => `${containerId}/${ifname}`);
  }
}
