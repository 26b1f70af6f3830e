import { deepEqual, equal, rejects, throws } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { kubeconfigAccess } from '../../../kube/access/kubeconfig.io.ts';
import { ApiClient } from '../../../kube/api-client.io.ts';
import { FakeApi } from './fake-api.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('kubeconfigAccess', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-kubeconfig-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (cluster: string, user: string): string => {
    const path = join(folder, 'config');
    writeFileSync(
      path,
      `apiVersion: v1
kind: Config
current-context: main
contexts:
- name: main
  context: {cluster: c, user: u, namespace: there}
clusters:
- name: other
  cluster: {server: https://192.0.2.1}
- name: c
  cluster:
${cluster.replace(/^/gm, '    ')}
users:
- name: u
  user:
${user.replace(/^/gm, '    ')}
`,
    );
    return path;
  };

  it('takes server, authority and token of the current context', async () => {
    const api = await FakeApi.listen();
    const { port, ca } = api.access;
    const path = write(
      `server: https://127.0.0.1:${port}/base/\ncertificate-authority-data: ${base64(ca()!)}`,
      'token: first',
    );
    const access = kubeconfigAccess(path);
    equal(access.namespace, 'there');
    const client = new ApiClient(access, 'test');
    const seen: unknown[] = [];
    api.answer = (request, response) => {
      seen.push(request.url, request.headers.authorization);
      response.end('{}');
    };
    try {
      await client.request('/api/v1/pods');
      deepEqual(seen, ['/base/api/v1/pods', 'Bearer first']);
    } finally {
      client.close();
      await api.close();
    }
  });

  it('takes a token from a file beside it, as it is now', async () => {
    writeFileSync(join(folder, 'token'), 'one\n');
    const access = kubeconfigAccess(write('server: https://[2001:db8::1]', 'tokenFile: token'));
    equal(access.host, '2001:db8::1');
    equal(access.port, 443);
    deepEqual(await access.credentials(), { token: 'one' });
    rmSync(join(folder, 'token'));
    writeFileSync(join(folder, 'token'), 'second\n');
    deepEqual(await access.credentials(), { token: 'second' });
  });

  it('shows a client certificate, from files, to a server that demands one', async () => {
    const certificate = (name: string): { readonly cert: string; readonly key: string } => {
      const options = [
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
      ];
      const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
      const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
      execFileSync('openssl', ['req', ...options, ...names, ...files], { stdio: 'ignore' });
      return {
        cert: readFileSync(join(folder, `${name}.crt`), 'utf8'),
        key: readFileSync(join(folder, `${name}.key`), 'utf8'),
      };
    };
    const server = certificate('server');
    const user = certificate('user');
    const api = createServer({ ...server, ca: user.cert, requestCert: true, rejectUnauthorized: true });
    const seen: unknown[] = [];
    api.on('request', (request, response) => {
      seen.push((request.socket as TLSSocket).getPeerCertificate().subject.CN, request.headers.authorization);
      response.end('{}');
    });
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
    const { port } = api.address() as AddressInfo;
    const path = write(
      `server: https://127.0.0.1:${port}\ncertificate-authority: server.crt`,
      'client-certificate: user.crt\nclient-key: user.key',
    );
    const client = new ApiClient(kubeconfigAccess(path), 'test');
    try {
      await client.request('/x');
      deepEqual(seen, ['user', undefined]);
    } finally {
      client.close();
      api.closeAllConnections();
      api.close();
    }
  });

  it('runs the program of an exec entry, and keeps what it printed until that expires', async () => {
    writeFileSync(
      join(folder, 'login'),
      `#!/bin/sh
echo run >>"$LIST"
case $KUBERNETES_EXEC_INFO in *client.authentication.k8s.io/v1*) ;; *) exit 1 ;; esac
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s","expirationTimestamp":"%s"}}' "$1" "$2"
`,
    );
    chmodSync(join(folder, 'login'), 0o755);
    const entry = (expires: string): string => `exec:
  apiVersion: client.authentication.k8s.io/v1
  command: ./login
  args: [secret, "${expires}"]
  env: [{name: LIST, value: ${join(folder, 'list')}}]`;
    const runs = (): number => readFileSync(join(folder, 'list'), 'utf8').split('\n').length - 1;
    const lasting = kubeconfigAccess(write('server: https://192.0.2.1', entry('2999-01-01T00:00:00Z')));
    deepEqual(await lasting.credentials(), { token: 'secret' });
    deepEqual(await lasting.credentials(), { token: 'secret' });
    equal(runs(), 1);
    const expired = kubeconfigAccess(write('server: https://192.0.2.1', entry('2001-01-01T00:00:00Z')));
    await expired.credentials();
    await expired.credentials();
    equal(runs(), 3);
  });

  it('rejects with an ApiError where that program fails', async () => {
    const entry = 'exec: {apiVersion: client.authentication.k8s.io/v1, command: /nowhere/login}';
    const client = new ApiClient(kubeconfigAccess(write('server: https://192.0.2.1', entry)), 'test');
    await rejects(client.request('/x'), { name: 'ApiError', reason: 'NoCredentials', status: 0 });
    client.close();
  });

  for (const [what, cluster, user] of [
    ['a server without TLS', 'server: http://192.0.2.1', 'token: x'],
    [
      'a server whose certificate is not to be looked at',
      'server: https://a\ninsecure-skip-tls-verify: true',
      'token: x',
    ],
    ['a user without credentials', 'server: https://a', '{}'],
    ['a password', 'server: https://a', 'username: u\npassword: p'],
    ['a file that is missing', 'server: https://a', 'tokenFile: nowhere'],
    ['an exec entry of an unknown version', 'server: https://a', 'exec: {apiVersion: v9, command: x}'],
  ] as const) {
    it(`refuses ${what}`, () =>
      throws(() => kubeconfigAccess(write(cluster, user)), { code: 'E_KUBECONFIG' }));
  }

  it('refuses what is no kubeconfig', () => {
    throws(() => kubeconfigAccess(join(folder, 'nowhere')), { code: 'E_KUBECONFIG' });
    writeFileSync(join(folder, 'text'), 'a: [');
    throws(() => kubeconfigAccess(join(folder, 'text')), { code: 'E_KUBECONFIG' });
  });
});
