import { mkdirSync, writeFileSync } from 'node:fs';
import { AUDIT_LOG, AUDIT_POLICY } from '../api-audit.ts';
import { CONTROL_PLANE, SERVICES, underlay } from './addresses.ts';
import { TOKENS, type User, writeKubeconfig } from './kubeconfig.ts';
import type { Kubectl } from './kubectl.ts';
import type { Machine } from './machine.ts';
import { PKI } from './paths.ts';

/** A node is not ready after this long without a sign of life; default of Kubernetes: 50 s. */
const NODE_GRACE = '20s';

const AUDIT_POLICY_FILE = '/etc/kubernetes/audit.json';
const SERVICE_RANGES = `${SERVICES.v4},${SERVICES.v6}`;

/** etcd, kube-apiserver, kube-controller-manager and kube-scheduler, on a machine of their own that is no node. */
export class ControlPlane {
  readonly machine: Machine;
  readonly #kubectl: Kubectl;

  constructor(machine: Machine, kubectl: Kubectl) {
    this.machine = machine;
    this.#kubectl = kubectl;
  }

  /** Starts everything and waits until the API answers. */
  async start(): Promise<void> {
    mkdirSync(`${this.machine.folder}/etc/kubernetes`, { recursive: true });
    // Nothing of a lab is to outlast it: the data lives in memory, which also spares the other machines' disk.
    await this.machine.start('etcd', ['etcd', '--data-dir=/run/etcd', '--quota-backend-bytes=1073741824']);
    await this.startApiServer();
    await this.#startControllers();
  }

  /** Has the controllers read their files anew. */
  async restartControllers(): Promise<void> {
    for (const name of ['kube-controller-manager', 'kube-scheduler'])
      await this.machine.stop(name, 'SIGKILL');
    await this.#startControllers();
  }

  async #startControllers(): Promise<void> {
    await this.machine.start('kube-controller-manager', [
      'kube-controller-manager',
      `--kubeconfig=${this.#kubeconfig('controller-manager', 'system:kube-controller-manager')}`,
      ...['--leader-elect=false', '--use-service-account-credentials=true', '--allocate-node-cidrs=false'],
      ...[`--service-account-private-key-file=${PKI}/sa.key`, `--root-ca-file=${PKI}/ca.crt`],
      ...[`--cluster-signing-cert-file=${PKI}/signer.crt`, `--cluster-signing-key-file=${PKI}/ca.key`],
      `--node-monitor-grace-period=${NODE_GRACE}`,
      `--service-cluster-ip-range=${SERVICE_RANGES}`,
    ]);
    await this.machine.start('kube-scheduler', [
      'kube-scheduler',
      `--kubeconfig=${this.#kubeconfig('scheduler', 'system:kube-scheduler')}`,
      '--leader-elect=false',
    ]);
  }

  /** Starts kube-apiserver and waits until it is ready. */
  async startApiServer(): Promise<void> {
    const { v4 } = underlay(CONTROL_PLANE);
    writeFileSync(`${this.machine.folder}${AUDIT_POLICY_FILE}`, AUDIT_POLICY);
    await this.machine.start('kube-apiserver', [
      'kube-apiserver',
      ...['--etcd-servers=http://127.0.0.1:2379', '--bind-address=::', `--advertise-address=${v4}`],
      ...[`--tls-cert-file=${PKI}/apiserver.crt`, `--tls-private-key-file=${PKI}/apiserver.key`],
      ...[`--client-ca-file=${PKI}/ca.crt`, `--token-auth-file=${TOKENS}`, '--authorization-mode=Node,RBAC'],
      '--enable-admission-plugins=NodeRestriction',
      `--kubelet-client-certificate=${PKI}/kubelet-client.crt`,
      `--kubelet-client-key=${PKI}/kubelet-client.key`,
      '--kubelet-preferred-address-types=InternalIP', // else exec and logs look for node names in DNS
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-signing-key-file=${PKI}/sa.key`,
      `--service-account-key-file=${PKI}/sa.key`,
      `--service-cluster-ip-range=${SERVICE_RANGES}`,
      ...[`--audit-policy-file=${AUDIT_POLICY_FILE}`, `--audit-log-path=${AUDIT_LOG}`],
      ...['--allow-privileged=true', '--profiling=false'],
    ]);
    await this.machine.waitFor('kube-apiserver', () => this.#isReady());
  }

  /** Ends kube-apiserver, as an outage would. Nodes and pods go on. */
  async stopApiServer(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.machine.stop('kube-apiserver', signal);
  }

  async #isReady(): Promise<boolean> {
    const { status } = await this.#kubectl.run(['get', '--raw', '/readyz'], { mayFail: true });
    return status === 0;
  }

  #kubeconfig(name: string, user: User): string {
    const path = `/etc/kubernetes/${name}.conf`;
    writeKubeconfig(`${this.machine.folder}${path}`, user);
    return path;
  }
}
