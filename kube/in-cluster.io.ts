import { readFileSync, statSync } from 'node:fs';
import { WeftError } from '../base/weft-error.ts';

/** Where the kubelet puts what a pod's service account needs. */
export const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/** How to reach the API server, and as whom. */
export interface ApiAccess {
  readonly host: string;
  readonly port: number;
  /** PEM. */
  readonly ca: string;
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
    const token = tokenFile(`${folder}/token`);
    token();
    return {
      host,
      port: Number(port),
      ca: readFileSync(`${folder}/ca.crt`, 'utf8'),
      token,
      namespace: readFileSync(`${folder}/namespace`, 'utf8').trim(),
    };
  } catch (cause) {
    const remedy = 'let the pod mount its service account (automountServiceAccountToken)';
    throw new WeftError('E_NO_KUBERNETES', `${folder} cannot be read`, remedy, { cause });
  }
}

/** The token, read again whenever its file has changed. */
function tokenFile(path: string): () => string {
  let readAt = -1;
  let token = '';
  return () => {
    const { mtimeMs } = statSync(path);
    if (mtimeMs !== readAt) {
      token = readFileSync(path, 'utf8').trim();
      readAt = mtimeMs;
    }
    return token;
  };
}
