import { type ChildProcess, spawn } from 'node:child_process';
import type { FlowRow } from '../../../control/flow-request.ts';
import { endProcess, until } from '../../cluster/command.ts';

const WEFT = `${import.meta.dirname}/../../../bin/weft`;

/** What `--json --follow` prints beside rows. */
type Told =
  | FlowRow
  | { readonly kind: 'lost'; readonly count: number }
  /** A node of the cluster tells no more, or again. */
  | { readonly kind: 'silent' | 'tells'; readonly node: string };

/** A `weft flows --follow` that runs, and all that it has printed. */
export class Follower {
  readonly child: ChildProcess;
  readonly rows: Told[] = [];
  stderr = '';
  #partial = '';

  constructor(runDir: string, ...args: readonly string[]) {
    this.child = spawn(WEFT, ['--json', '--run-dir', runDir, 'flows', '--follow', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#partial + text).split('\n');
      this.#partial = lines.pop()!;
      for (const line of lines) this.rows.push(JSON.parse(line) as Told);
    });
  }

  /** The first row that `wanted` takes, once there is one. */
  async row(what: string, wanted: (row: Told) => boolean, timeoutMs = 20_000): Promise<FlowRow> {
    const found = await until(what, () => this.rows.find(wanted), { timeoutMs }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${this.stderr} ${JSON.stringify(this.rows.slice(-20))}`);
    });
    return found as FlowRow;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await endProcess(this.child, signal);
  }
}
