import { type ChildProcess, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, until } from '../../cluster/command.ts';
import type { Namespace } from '../namespaces.ts';

/** Where `tools/lab-build` leaves the programs of the lab. */
const BIN = fileURLToPath(new URL('../../../.cache/lab/bin', import.meta.url));
const PORT = 6443;

/** Who may do what: everybody everything, or as roles say. */
type Authorization = 'AlwaysAllow' | 'RBAC';

/** An object of the API, as far as tests look at it. */
export interface ApiObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string };
}

/**
 * A real kube-apiserver with its etcd, in a namespace, and nothing else of Kubernetes: what no controller and no kubelet
 * does a test does itself. It needs what `tools/lab-build` builds.
 */
export class RealApi {
  readonly kubeconfig: string;
  readonly #namespace: Namespace;
  readonly #folder: string;
  readonly #address: string;
  readonly #token = randomBytes(16).toString('hex');
  #etcd: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  readonly #authorization: Authorization;

  private constructor(namespace: Namespace, folder: string, address: string, authorization: Authorization) {
    this.#authorization = authorization;
    this.#namespace = namespace;
    this.#folder = folder;
    this.#address = address;
    this.kubeconfig = join(folder, 'kubeconfig');
  }

  /** Whether the programs are there. */
  static get isBuilt(): boolean {
    return ['kube-apiserver', 'kubectl'].every((name) => existsSync(join(BIN, name)));
  }

  /** The file that brings the kind ClusterNetworkPolicy; undefined where it is not there. */
  static get clusterPolicyDefinition(): string | undefined {
    const path = join(BIN, 'clusternetworkpolicies-experimental.yaml');
    return existsSync(path) ? path : undefined;
  }

  /** Starts both; `address` is one of the namespace, not of its loopback. Its own kubeconfig may do all. */
  static async start(
    namespace: Namespace,
    folder: string,
    address: string,
    authorization: Authorization = 'AlwaysAllow',
  ): Promise<RealApi> {
    mkdirSync(folder, { recursive: true });
    const api = new RealApi(namespace, folder, address, authorization);
    execFileSync('openssl', ['genrsa', '-out', join(folder, 'sa.key'), '2048'], { stdio: 'ignore' });
    writeFileSync(join(folder, 'tokens.csv'), `${api.#token},admin,admin,system:masters\n`);
    api.#etcd = namespace.start(
      'etcd',
      ['--data-dir', join(folder, 'etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
      'ignore',
    );
    await api.startServer();
    return api;
  }

  /** Starts kube-apiserver, and waits until it is ready. */
  async startServer(): Promise<void> {
    const folder = this.#folder;
    const args = [
      ...[
        '--etcd-servers=http://127.0.0.1:2379',
        `--secure-port=${PORT}`,
        `--advertise-address=${this.#address}`,
      ],
      ...[`--cert-dir=${folder}/certs`, `--token-auth-file=${folder}/tokens.csv`],
      ...[`--authorization-mode=${this.#authorization}`, '--disable-admission-plugins=ServiceAccount'],
      ...[
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${folder}/sa.key`,
      ],
      ...[`--service-account-signing-key-file=${folder}/sa.key`, '--service-cluster-ip-range=10.96.0.0/16'],
      ...['--profiling=false', '--endpoint-reconciler-type=none', '--shutdown-delay-duration=0s'],
    ];
    this.#server = this.#namespace.start(join(BIN, 'kube-apiserver'), args, 'ignore');
    await until('kube-apiserver to write its certificate', () => existsSync(`${folder}/certs/apiserver.crt`));
    this.writeKubeconfig(this.kubeconfig, this.#token);
    await until(
      'kube-apiserver to be ready',
      () => this.kubectl(['get', '--raw', '/readyz']).catch(() => false),
      {
        timeoutMs: 90_000,
        everyMs: 200,
      },
    );
    const namespace = async () => (await this.kubectl(['get', 'namespace', 'default'])) !== '';
    await until('the namespace default', () => namespace().catch(() => false), { everyMs: 200 });
  }

  /** Kills kube-apiserver, as an outage would. */
  async stopServer(): Promise<void> {
    if (this.#server) await this.#namespace.stop(this.#server);
  }

  async stop(): Promise<void> {
    await this.stopServer();
    if (this.#etcd) await this.#namespace.stop(this.#etcd);
  }

  async kubectl(args: readonly string[], input = ''): Promise<string> {
    const argv = [join(BIN, 'kubectl'), '--kubeconfig', this.kubeconfig, ...args];
    return (await run(argv, { namespace: this.#namespace.name, input, timeoutMs: 30_000 })).stdout;
  }

  /** Creates or changes objects; answers them as they are then. */
  async apply(...objects: readonly object[]): Promise<ApiObject[]> {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    const text = await this.kubectl(['apply', '--server-side', '-o', 'json', '-f', '-'], list);
    const answer = JSON.parse(text) as ApiObject & { readonly items?: readonly ApiObject[] };
    return [...(answer.items ?? [answer])];
  }

  /** Writes a kubeconfig for whoever `token` names. */
  writeKubeconfig(path: string, token: string): void {
    const authority = readFileSync(`${this.#folder}/certs/apiserver.crt`).toString('base64');
    const cluster = { server: `https://${this.#address}:${PORT}`, 'certificate-authority-data': authority };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'main',
      clusters: [{ name: 'main', cluster }],
      users: [{ name: 'main', user: { token } }],
      contexts: [{ name: 'main', context: { cluster: 'main', user: 'main' } }],
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  }
}
