import { CONTROL_PLANE, OUTSIDE, underlay } from './harness/addresses.ts';
import { serverCertificate } from './harness/certificates.ts';
import type { Lab } from './harness/lab.ts';
import { PKI, ROOT } from './harness/paths.ts';

const PROGRAM = `${ROOT}/test/lab/inside/fault-proxy.ts`;
const NAME = 'fault-proxy';
const API_PORT = '6443';
const CONTROL_PORT = '6444';

/** How the API meets a node, as `inside/fault-proxy.ts` tells. */
export type FaultMode = 'pass' | '401' | '403' | '429' | '500' | 'never' | 'silent';

/**
 * A proxy before the API server, on the machine `outside`, with a certificate that pods trust. It can be made to fail
 * towards one node, in one way at a time. Nodes' own programs ask the API server directly.
 */
export class FaultProxy {
  /** What a container needs in its environment to ask the proxy; it wins over what the kubelet gives by itself. */
  static readonly ENV: Readonly<Record<string, string>> = {
    KUBERNETES_SERVICE_HOST: underlay(OUTSIDE).v4,
    KUBERNETES_SERVICE_PORT: API_PORT,
  };

  readonly #lab: Lab;

  private constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Starts it; it passes everything on. It ends with the lab. */
  static async start(lab: Lab): Promise<FaultProxy> {
    const { v4 } = underlay(OUTSIDE);
    await serverCertificate(NAME, [v4]);
    const proxy = new FaultProxy(lab);
    await lab.outside.start(NAME, [
      ...[`${ROOT}/bin/weft-node`, PROGRAM, v4, API_PORT],
      ...[underlay(CONTROL_PLANE).v4, API_PORT, CONTROL_PORT, PKI],
    ]);
    const asked = ['curl', '-sSk', '-m', '2', `https://${v4}:${API_PORT}/readyz`];
    await lab.outside.waitFor(NAME, async () => {
      const { status } = await lab.outside.run(asked, { mayFail: true });
      return status === 0;
    });
    return proxy;
  }

  /** Changes how the node's requests are met, from now on, and counts them anew. */
  async set(node: string, mode: FaultMode): Promise<void> {
    await this.#control('PUT', `${this.#addressOf(node)}/${mode}`);
  }

  /** What the node asked for since {@link set}: `GET /api/v1/nodes?…`. */
  async requests(node: string): Promise<string[]> {
    return JSON.parse(await this.#control('GET', this.#addressOf(node))) as string[];
  }

  #addressOf(node: string): string {
    return this.#lab.node(node).addresses.v4;
  }

  async #control(method: string, path: string): Promise<string> {
    const url = `http://127.0.0.1:${CONTROL_PORT}/${path}`;
    return (await this.#lab.outside.run(['curl', '-sSf', '-m', '5', '-X', method, url])).stdout;
  }
}
