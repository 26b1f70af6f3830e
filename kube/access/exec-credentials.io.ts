import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { ApiError } from '../api-error.ts';
import { isRecord } from '../objects.ts';
import type { ApiCredentials } from './api-access.ts';

/** The program ends within this, or is killed. Some ask a server. */
const RUN_LIMIT_MS = 30_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** Credentials are fetched anew so long before they expire. */
const EARLY_MS = 60_000;
/** Credentials that do not say when they expire are fetched anew after so long. */
const UNDATED_MS = 600_000;

const API_VERSION = /^client\.authentication\.k8s\.io\/v1(beta1)?$/;

/**
 * The credentials that the program of an `exec` entry of a kubeconfig prints (client-go credential plugins, v1), kept
 * until shortly before they expire; undefined where the entry names no program of a known version. `folder` is that of
 * the kubeconfig: a command with a slash is found from there. The credentials reject with an ApiError where the
 * program fails or prints something else.
 */
export function execCredentials(exec: unknown, folder: string): (() => Promise<ApiCredentials>) | undefined {
  if (!isRecord(exec) || typeof exec.command !== 'string' || exec.command === '') return undefined;
  const { apiVersion } = exec;
  if (typeof apiVersion !== 'string' || !API_VERSION.test(apiVersion)) return undefined;
  const command = exec.command.includes('/') ? resolve(folder, exec.command) : exec.command;
  const args = (Array.isArray(exec.args) ? exec.args : []).filter((arg) => typeof arg === 'string');
  const env = { ...process.env, ...variablesOf(exec.env), KUBERNETES_EXEC_INFO: infoOf(apiVersion) };
  let kept: { readonly credentials: ApiCredentials; readonly until: number } | undefined;
  let running: Promise<ApiCredentials> | undefined;
  const fetch = async (): Promise<ApiCredentials> => {
    const output = await run(command, args, env);
    const { credentials, expiresAt } = readCredential(output, command);
    kept = { credentials, until: expiresAt === undefined ? Date.now() + UNDATED_MS : expiresAt - EARLY_MS };
    return credentials;
  };
  return () => {
    if (kept !== undefined && Date.now() < kept.until) return Promise.resolve(kept.credentials);
    running ??= fetch().finally(() => {
      running = undefined;
    });
    return running;
  };
}

function infoOf(apiVersion: string): string {
  return JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false } });
}

function variablesOf(env: unknown): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const entry of Array.isArray(env) ? env : [])
    if (isRecord(entry) && typeof entry.name === 'string' && typeof entry.value === 'string')
      variables[entry.name] = entry.value;
  return variables;
}

function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  return new Promise((done, reject) => {
    const options = { env: { ...env }, timeout: RUN_LIMIT_MS, maxBuffer: MAX_OUTPUT_BYTES };
    const child = execFile(command, [...args], options, (cause, output) => {
      if (cause === null) done(output);
      else reject(failed(`${command} failed: ${cause.message.split('\n', 1)[0]}`, cause));
    });
    child.stdin?.on('error', () => {}).end();
  });
}

function readCredential(
  output: string,
  command: string,
): { readonly credentials: ApiCredentials; readonly expiresAt: number | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch (cause) {
    throw failed(`${command} printed no JSON`, cause);
  }
  const status = isRecord(value) && isRecord(value.status) ? value.status : {};
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp: expires } = status;
  const hasCertificate = typeof cert === 'string' && typeof key === 'string';
  if (typeof token !== 'string' && !hasCertificate) throw failed(`${command} printed no credentials`);
  const expiresAt = typeof expires === 'string' ? Date.parse(expires) : Number.NaN;
  return {
    credentials: {
      ...(typeof token === 'string' ? { token } : {}),
      ...(hasCertificate ? { certificate: { cert, key } } : {}),
    },
    expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt,
  };
}

function failed(message: string, cause?: unknown): ApiError {
  return new ApiError(0, 'NoCredentials', message, { cause });
}
