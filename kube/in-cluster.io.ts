import { readFileSync, statSync } from 'node:fs';
import { WeftError } from '../base/weft-error.ts';

/** Where the kubelet puts what a pod's service account needs. */
const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** How to reach the API server, and as whom. */
export interface ApiAccess {
  readonly host: string;
  readonly port: number;
  /** Whom to trust, as it is now: the kubelet replaces the file when the cluster's authority changes. PEM. */
  ca(): string;
  /** The bearer token as it is now: the kubelet replaces its file before it expires. */
  token(): string;
  /** The namespace this pod runs in. */
  readonly namespace: string;
}

/**
 * Reads the access that Kubernetes gives a pod. Throws E_NO_KUBERNETES where this is none, or where its service
 * account is not mounted.
 */
export function inClusterAccess(
  env: Readonly<Record<string, string | undefined>>,
  folder = SERVICE_ACCOUNT_DIR,
): ApiAccess {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined || host === '' || !/^\d{1,5}$/.test(port)) {
    const remedy = 'run weftd in a pod, or leave out --kubernetes';
    throw new WeftError(
      'E_NO_KUBERNETES',
      'KUBERNETES_SERVICE_HOST is not set: this is no pod of Kubernetes',
      remedy,
    );
  }
  try {
    const [ca, token] = [fileThatChanges(`${folder}/ca.crt`), fileThatChanges(`${folder}/token`)];
    ca();
    token();
    return {
      host,
      port: Number(port),
      ca,
      token,
      namespace: readFileSync(`${folder}/namespace`, 'utf8').trim(),
    };
  } catch (cause) {
    const remedy = 'let the pod mount its service account (automountServiceAccountToken)';
    throw new WeftError('E_NO_KUBERNETES', `${folder} cannot be read`, remedy, { cause });
  }
}

/**
 * The text of a file, read again whenever the file has changed. The kubelet replaces it by another file under the same
 * name. Where it cannot be read for a while, what was read last counts; throws where nothing was read yet.
 */
function fileThatChanges(path: string): () => string {
  let seen: string | undefined;
  let text: string | undefined;
  return () => {
    try {
      const { ino, mtimeMs, size } = statSync(path);
      const now = `${ino} ${mtimeMs} ${size}`;
      if (now !== seen) {
        text = readFileSync(path, 'utf8').trim();
        seen = now;
      }
    } catch (error) {
      if (text === undefined) throw error;
    }
    return text!;
  };
}
