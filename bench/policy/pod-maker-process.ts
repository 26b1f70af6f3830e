import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Namespace } from '../../test/netns/namespaces.ts';

const POD_MAKER = fileURLToPath(new URL('./pod-maker.ts', import.meta.url));

/** Makes pods beside an API server, one command after the other; pod-maker.ts says which there are. */
export class PodMaker {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(machine: Namespace, kubeconfig: string) {
    this.#child = machine.startProgram(POD_MAKER, [kubeconfig]);
    this.#child.stderr!.pipe(process.stderr);
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** The UIDs of the pods that were made. */
  async carryOut(command: object): Promise<string[]> {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the pod maker ended');
    return (JSON.parse(value) as { uids: string[] }).uids;
  }
}
