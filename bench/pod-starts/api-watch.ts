import { type ChildProcess, spawn } from 'node:child_process';
import { LineSplitter } from '../../kube/line-splitter.ts';
import { readWatchEvent } from '../../kube/watch-event.ts';
import { endProcess, until } from '../../test/cluster/command.ts';
import type { KubeObject } from '../../test/lab/harness/kubectl.ts';
import type { Lab } from '../../test/lab/harness/lab.ts';
import { MACHINE_ENV } from '../../test/lab/harness/paths.ts';

/** Milliseconds since 1970, with fractions: what the clock of the whole machine shows, as the lab's logs have it. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Follows a collection of the lab's API: each object is handed over as it comes, with the time of that. The API's own
 * times have seconds only.
 */
export class ApiWatch {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when the watch stands; what there is already comes first. `path` as `/api/v1/nodes`. */
  static async start(
    lab: Lab,
    path: string,
    onObject: (object: KubeObject, at: number) => void,
  ): Promise<ApiWatch> {
    // What there is comes first; that the answer has begun, kubectl tells at this level.
    const argv = ['kubectl', 'get', '-v=6', '--raw', `${path}?watch=1&resourceVersion=0`];
    const [program, ...args] = lab.controlPlane.machine.inside(argv);
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...MACHINE_ENV } });
    const splitter = new LineSplitter();
    let said = '';
    child.stderr.on('data', (chunk: Uint8Array) => {
      said += Buffer.from(chunk).toString();
    });
    child.stdout.on('data', (chunk: Uint8Array) => {
      const at = wallClock();
      for (const line of splitter.push(chunk)) {
        const event = readWatchEvent(line);
        if (!event.ok || event.value.type === 'error') throw new Error(`the watch of ${path} said ${line}`);
        if (event.value.type === 'put') onObject(event.value.object as KubeObject, at);
      }
    });
    const watch = new ApiWatch(child);
    await until(`the watch of ${path}`, () => said.includes('200 OK'));
    return watch;
  }

  async stop(): Promise<void> {
    await endProcess(this.#child);
  }
}
