import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { KubeObject } from '../harness/kubectl.ts';
import type { Machine } from '../harness/machine.ts';
import { MACHINE_ENV } from '../harness/paths.ts';

/** One event of a watch; BOOKMARK and ERROR are not told. */
export interface PodEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly pod: KubeObject;
}

/** Watches the pods of a label in all namespaces by kubectl, which is started again whenever it ends. */
export class PodWatch {
  readonly #machine: Machine;
  readonly #selector: string;
  readonly #told: (event: PodEvent) => void;
  #child: ChildProcess | undefined;
  #over = false;

  constructor(machine: Machine, selector: string, told: (event: PodEvent) => void) {
    this.#machine = machine;
    this.#selector = selector;
    this.#told = told;
  }

  /** Watches until {@link end}. A pod that went while nobody watched is never told. */
  async run(): Promise<void> {
    while (!this.#over) {
      await this.#watch();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  end(): void {
    this.#over = true;
    this.#child?.kill('SIGKILL');
  }

  async #watch(): Promise<void> {
    const args = [
      'get',
      'pods',
      '-A',
      '-l',
      this.#selector,
      '--watch',
      '--output-watch-events',
      '-o',
      'json',
    ];
    const [program, ...rest] = this.#machine.inside(['kubectl', ...args]);
    const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...MACHINE_ENV } });
    this.#child = child;
    // One event a line.
    for await (const line of createInterface({ input: child.stdout })) {
      const { type, object } = JSON.parse(line) as { type: string; object: KubeObject };
      if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') this.#told({ type, pod: object });
    }
  }
}
