import { until } from '../cluster/command.ts';
import type { KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import type { Machine } from './harness/machine.ts';
import { ROOT } from './harness/paths.ts';
import { addressesOf } from './workloads.ts';

const PROGRAM = `${ROOT}/test/cluster/inside/tcp-probe.ts`;
const PROBE_PORT = 7777;
const LINGER_MS = 2_000;

/** What one connection saw. */
export interface ProbeResult {
  readonly answers: number;
  readonly longestGapMs: number;
  /** Why it ended before its time; null where it did not. */
  readonly broken: string | null;
}

/** A TCP connection from one pod to another that asks all the time, beside what else happens. */
export class TcpProbe {
  readonly #client: Machine;
  readonly #server: Machine;
  readonly #seconds: number;
  readonly #logged: number;

  private constructor(client: Machine, server: Machine, seconds: number) {
    this.#client = client;
    this.#server = server;
    this.#seconds = seconds;
    this.#logged = client.log('probe').length;
  }

  /** Resolves when the connection stands; it lasts `seconds`, or until {@link finish}. */
  static async start(lab: Lab, from: KubeObject, to: KubeObject, seconds: number): Promise<TcpProbe> {
    const [client, server] = [lab.machine(from.spec.nodeName), lab.machine(to.spec.nodeName)];
    const probe = new TcpProbe(client, server, seconds);
    const [address] = addressesOf(to);
    const inside = async (machine: Machine, pod: KubeObject, args: string[]): Promise<string[]> => [
      ...['ip', 'netns', 'exec', await namespaceOf(machine, addressesOf(pod)[0])],
      ...[`${ROOT}/bin/weft-node`, PROGRAM, ...args],
    ];
    await server.start('probe-server', await inside(server, to, ['serve', address, String(PROBE_PORT)]));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const ask = ['ask', address, String(PROBE_PORT), String(seconds)];
    await client.start('probe', await inside(client, from, ask));
    await until('the probe to connect', () => probe.#output().includes('connected'));
    return probe;
  }

  /** Waits for its end. */
  async result(): Promise<ProbeResult> {
    const line = await until('the probe to end', () => /^\{.*\}$/m.exec(this.#output())?.[0], {
      timeoutMs: 1000 * this.#seconds + 70_000,
    });
    await this.#client.stop('probe');
    await this.#server.stop('probe-server');
    return JSON.parse(line) as ProbeResult;
  }

  /** Ends it a little later, so that a gap of this moment shows. */
  async finish(): Promise<ProbeResult> {
    await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
    await this.#client.stop('probe');
    return this.result();
  }

  #output(): string {
    return this.#client.log('probe').slice(this.#logged);
  }
}

/** Name of the network namespace on a machine in which `address` is. */
async function namespaceOf(machine: Machine, address: string): Promise<string> {
  const { stdout } = await machine.run(['ip', '-j', 'netns', 'list']);
  for (const { name } of JSON.parse(stdout) as { readonly name: string }[]) {
    const { stdout: shown } = await machine.run(['ip', '-n', name, '-o', 'address', 'show'], {
      mayFail: true,
    });
    if (shown.includes(` ${address}/`)) return name;
  }
  throw new Error(`no namespace on ${machine.name} has ${address}`);
}
