import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inClusterAccess } from '../../../kube/access/in-cluster.io.ts';
import { ApiClient } from '../../../kube/api-client.io.ts';
import { ApiError } from '../../../kube/api-error.ts';
import { remedyOf } from '../../../kube/api-faults.ts';
import { until } from '../../cluster/command.ts';
import { FakeApi } from './fake-api.ts';

describe('inClusterAccess', () => {
  let folder: string;
  let versions = 0;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-account-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Puts the files in place as the kubelet does: a new folder, to which the link `..data` is turned at once. */
  const project = (files: Readonly<Record<string, string>>): void => {
    const data = `..version-${++versions}`;
    mkdirSync(join(folder, data));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, data, name), text);
    symlinkSync(data, join(folder, '..data.new'));
    renameSync(join(folder, '..data.new'), join(folder, '..data'));
    for (const name of Object.keys(files)) {
      rmSync(join(folder, name), { force: true });
      symlinkSync(join('..data', name), join(folder, name));
    }
  };
  const env = (host: string, port: number) => ({
    KUBERNETES_SERVICE_HOST: host,
    KUBERNETES_SERVICE_PORT: String(port),
  });

  it('follows a rotation of the authority and of the token, with the same client', async () => {
    const api = await FakeApi.listen();
    const { host, port, ca } = api.access;
    project({ 'ca.crt': ca()!, token: 'first\n', namespace: 'weft\n' });
    const access = inClusterAccess(env(host, port), { folder });
    equal(access.namespace, 'weft');
    const client = new ApiClient(access, 'test');
    const seen: (string | undefined)[] = [];
    api.answer = (request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    };
    try {
      await client.request('/x');
      api.changeAuthority();
      // A connection that was just closed may still be used once: that is no answer.
      const distrust = await until('the new certificate to be refused', async () => {
        const error = await client.request('/x').catch((cause: ApiError) => cause);
        return error instanceof ApiError && error.reason === 'Untrusted' && error;
      });
      match(remedyOf(distrust), /kube-root-ca\.crt/);
      project({ 'ca.crt': ca()!, token: 'second\n', namespace: 'weft\n' });
      await client.request('/x');
      equal(seen.join(), 'Bearer first,Bearer second');
    } finally {
      client.close();
      await api.close();
    }
  });

  it('goes on with what it read last while the files cannot be read', () => {
    project({ 'ca.crt': 'PEM', token: 'first', namespace: 'weft' });
    const access = inClusterAccess(env('192.0.2.1', 443), { folder });
    rmSync(join(folder, '..data'));
    deepEqual(access.credentials(), { token: 'first' });
    equal(access.ca(), 'PEM');
  });

  it('refuses to start where the service account is not mounted, or this is no pod', () => {
    throws(() => inClusterAccess(env('192.0.2.1', 443), { folder }), { code: 'E_NO_KUBERNETES' });
    throws(() => inClusterAccess({}, { folder }), { code: 'E_NO_KUBERNETES' });
  });
});
