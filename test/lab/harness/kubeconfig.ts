import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { CONTROL_PLANE, underlay } from './addresses.ts';
import { authorityCertificate } from './certificates.ts';
import { PKI } from './paths.ts';

/** The file that tells kube-apiserver who has which token. */
export const TOKENS = `${PKI}/tokens.csv`;

/** As many nodes as a lab may ever have had: `n1` to `n200`. */
const MAX_NODES = 200;

/** Users of the API beside the nodes, with their groups. */
const USERS = [
  'admin',
  'system:kube-controller-manager',
  'system:kube-scheduler',
  'system:kube-proxy',
] as const;

export type User = (typeof USERS)[number] | `system:node:${string}`;

/** Makes a token for each user and each node. */
export function createTokens(): void {
  const nodes = Array.from({ length: MAX_NODES }, (_, i) => `system:node:n${i + 1}`);
  const rows = [...USERS, ...nodes].map((user) => {
    const groups =
      user === 'admin' ? ',system:masters' : user.startsWith('system:node:') ? ',system:nodes' : '';
    return `${randomBytes(16).toString('hex')},${user},${user}${groups}`;
  });
  writeFileSync(TOKENS, `${rows.join('\n')}\n`, { mode: 0o600 });
}

/** A user's kubeconfig. */
export function kubeconfig(user: User): string {
  const row = readFileSync(TOKENS, 'utf8')
    .split('\n')
    .map((line) => line.split(','))
    .find((columns) => columns[1] === user);
  if (row === undefined) throw new Error(`the lab has no user ${user}`);
  const server = `https://${underlay(CONTROL_PLANE).v4}:6443`;
  const authority = Buffer.from(authorityCertificate()).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: user, user: { token: row[0] } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user } }],
  });
}

/** Writes a user's kubeconfig, readable by root alone. */
export function writeKubeconfig(path: string, user: User): void {
  writeFileSync(path, kubeconfig(user), { mode: 0o600 });
}
