import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { load } from 'js-yaml';
import { WeftError } from '../../base/weft-error.ts';
import { isRecord } from '../objects.ts';
import type { ApiAccess, ApiCredentials } from './api-access.ts';
import { execCredentials } from './exec-credentials.io.ts';
import { fileThatChanges } from './file-that-changes.io.ts';

/**
 * Reads the access that the current context of a kubeconfig gives: a token, the file of one, a client certificate, or a
 * program that is run for them (client.authentication.k8s.io). Files that it names are read again when they change.
 *
 * Passwords, proxies and servers that show no certificate are refused by name. Throws E_KUBECONFIG.
 */
export function kubeconfigAccess(path: string): ApiAccess {
  const folder = dirname(path);
  const config = readConfig(path);
  const contextName = textOf(config, 'current-context');
  if (contextName === undefined)
    throw fault(path, 'has no current-context', 'name one of its contexts there');
  const context = entryOf(path, config, 'contexts', 'context', contextName);
  const cluster = entryOf(path, config, 'clusters', 'cluster', textOf(context, 'cluster') ?? '');
  const user = entryOf(path, config, 'users', 'user', textOf(context, 'user') ?? '');
  for (const [what, holder] of REFUSED)
    if ((holder === 'cluster' ? cluster : user)[what] !== undefined)
      throw fault(path, `uses ${what}, which is not supported`, 'take it out, or use another context');
  const server = serverOf(path, textOf(cluster, 'server') ?? '');
  const ca = dataOrFile(path, folder, cluster, 'certificate-authority');
  const serverName = textOf(cluster, 'tls-server-name');
  return {
    ...server,
    ...(serverName === undefined ? {} : { serverName }),
    ca: () => ca?.(),
    credentials: credentialsOf(path, folder, user),
    namespace: textOf(context, 'namespace') ?? 'default',
  };
}

/** What would weaken the connection unseen, or is of another age. */
const REFUSED = [
  ['insecure-skip-tls-verify', 'cluster'],
  ['proxy-url', 'cluster'],
  ['username', 'user'],
  ['password', 'user'],
  ['auth-provider', 'user'],
  ['as', 'user'],
] as const;

type Entry = Readonly<Record<string, unknown>>;

function readConfig(path: string): Entry {
  let config: unknown;
  try {
    config = load(readFileSync(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
    throw fault(path, `cannot be read: ${why}`, 'give the path of a kubeconfig', cause);
  }
  if (isRecord(config)) return config;
  throw fault(path, 'is no kubeconfig', 'give the path of a kubeconfig');
}

function credentialsOf(
  path: string,
  folder: string,
  user: Entry,
): () => ApiCredentials | Promise<ApiCredentials> {
  if (user.exec !== undefined) {
    const run = execCredentials(user.exec, folder);
    if (run === undefined)
      throw fault(path, 'has an exec entry that cannot be used', 'give it apiVersion v1 and a command');
    return run;
  }
  const cert = dataOrFile(path, folder, user, 'client-certificate');
  const key = dataOrFile(path, folder, user, 'client-key');
  const tokenFile = textOf(user, 'tokenFile');
  const token =
    tokenFile === undefined ? fixed(textOf(user, 'token')) : changing(path, resolve(folder, tokenFile));
  if (token === undefined && (cert === undefined || key === undefined))
    throw fault(path, 'has a user without token or client certificate', 'give it one');
  return () => ({
    ...(token === undefined ? {} : { token: token() }),
    ...(cert === undefined || key === undefined ? {} : { certificate: { cert: cert(), key: key() } }),
  });
}

/** `name-data` holds Base64, `name` the path of a file, from the folder of the kubeconfig on; the former counts. */
function dataOrFile(path: string, folder: string, entry: Entry, name: string): (() => string) | undefined {
  const data = textOf(entry, `${name}-data`);
  if (data !== undefined) return fixed(Buffer.from(data, 'base64').toString('utf8'));
  const file = textOf(entry, name);
  return file === undefined ? undefined : changing(path, resolve(folder, file));
}

function fixed(text: string | undefined): (() => string) | undefined {
  return text === undefined ? undefined : () => text;
}

function changing(path: string, file: string): () => string {
  const read = fileThatChanges(file);
  try {
    read();
  } catch (cause) {
    throw fault(path, `names ${file}, which cannot be read`, 'see that it is there', cause);
  }
  return read;
}

function entryOf(path: string, config: Entry, list: string, key: string, name: string): Entry {
  const entries: readonly unknown[] = Array.isArray(config[list]) ? config[list] : [];
  const found = entries.find((entry) => isRecord(entry) && entry.name === name);
  const value = isRecord(found) ? found[key] : undefined;
  if (isRecord(value)) return value;
  throw fault(path, `has no ${key} '${name}'`, 'name one that it has in its current context');
}

function serverOf(path: string, server: string): Pick<ApiAccess, 'host' | 'port' | 'basePath'> {
  const url = URL.parse(server);
  if (url?.protocol !== 'https:')
    throw fault(path, `has the server '${server}'`, 'give one that begins with https://');
  const basePath = url.pathname.replace(/\/+$/, '');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 443 : Number(url.port),
    ...(basePath === '' ? {} : { basePath }),
  };
}

function textOf(entry: Entry, name: string): string | undefined {
  const text = entry[name];
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function fault(path: string, problem: string, remedy: string, cause?: unknown): WeftError {
  return new WeftError('E_KUBECONFIG', `${path} ${problem}`, remedy, { cause });
}
