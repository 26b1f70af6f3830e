import { readFileSync } from 'node:fs';
import { WeftError } from '../../base/weft-error.ts';
import type { ApiAccess } from './api-access.ts';
import { fileThatChanges } from './file-that-changes.io.ts';

/** Where the kubelet puts what a pod's service account needs. */
const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Reads the access that Kubernetes gives a pod. Throws E_NO_KUBERNETES where this is none, or where its service
 * account is not mounted. `remedy` is what a user can do where this is no pod.
 */
export function inClusterAccess(
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly folder?: string; readonly remedy?: string } = {},
): ApiAccess {
  const { folder = SERVICE_ACCOUNT_DIR, remedy: other = 'run weftd in a pod, or leave out --kubernetes' } =
    options;
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (host === undefined || host === '' || !/^\d{1,5}$/.test(port)) {
    throw new WeftError(
      'E_NO_KUBERNETES',
      'KUBERNETES_SERVICE_HOST is not set: this is no pod of Kubernetes',
      other,
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
      credentials: () => ({ token: token() }),
      namespace: readFileSync(`${folder}/namespace`, 'utf8').trim(),
    };
  } catch (cause) {
    const remedy = 'let the pod mount its service account (automountServiceAccountToken)';
    throw new WeftError('E_NO_KUBERNETES', `${folder} cannot be read`, remedy, { cause });
  }
}
