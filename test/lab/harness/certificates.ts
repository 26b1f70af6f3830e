import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { run } from '../../cluster/command.ts';
import { API_SERVICE, CONTROL_PLANE, underlay } from './addresses.ts';
import { PKI } from './paths.ts';

const DAYS = '7';

/** Makes the cluster's certificates in {@link PKI}: `ca`, `signer` (the same), `apiserver` and `kubelet-client`, each `.crt` and `.key`, and `sa.key` for service accounts. */
export async function createCertificates(): Promise<void> {
  mkdirSync(PKI, { recursive: true, mode: 0o700 });
  await authority('ca');
  // The controllers sign with one certificate; `ca.crt` may come to hold several.
  copyFileSync(`${PKI}/ca.crt`, `${PKI}/signer.crt`);
  await apiServerCertificate('ca');
  await signed('kubelet-client', '/O=system:masters/CN=kube-apiserver', ['extendedKeyUsage=clientAuth']);
  await run(['openssl', 'genrsa', '-out', `${PKI}/sa.key`, '2048']);
}

/** A new authority beside the old one: `ca.crt` holds both from now on. What the old one signed stays as it is. */
export async function introduceAuthority(): Promise<void> {
  await authority('next-ca');
  const old = authorityCertificate();
  writeFileSync(`${PKI}/ca.crt`, old + readFileSync(`${PKI}/next-ca.crt`, 'utf8'));
}

/** Has the new authority sign for the API server. */
export async function changeAuthority(): Promise<void> {
  await apiServerCertificate('next-ca');
}

async function apiServerCertificate(signer: string): Promise<void> {
  const { v4, v6 } = underlay(CONTROL_PLANE);
  const name = 'kubernetes.default.svc.cluster.local'.split('.');
  const names = ['localhost', ...name.map((_, i) => name.slice(0, i + 1).join('.'))];
  const addresses = ['127.0.0.1', '::1', v4, v6, API_SERVICE.v4, API_SERVICE.v6];
  await signed('apiserver', '/CN=apiserver', serverExtensions(addresses, names), signer);
}

/** Makes the certificate of a server in {@link PKI}, `NAME.crt` and `NAME.key`, for its addresses and DNS names. */
export async function serverCertificate(
  name: string,
  addresses: readonly string[],
  names: readonly string[] = [],
): Promise<void> {
  await signed(name, `/CN=${name}`, serverExtensions(addresses, names));
}

/** The authority's certificate, PEM. */
export function authorityCertificate(): string {
  return readFileSync(`${PKI}/ca.crt`, 'utf8');
}

function authority(name: string): Promise<void> {
  const usage = 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature';
  return certificate(name, `/CN=lab-${name}`, ['basicConstraints=critical,CA:TRUE', usage]);
}

function serverExtensions(addresses: readonly string[], names: readonly string[]): string[] {
  const alternatives = [...names.map((each) => `DNS:${each}`), ...addresses.map((each) => `IP:${each}`)];
  return [`subjectAltName=${alternatives.join(',')}`, 'extendedKeyUsage=serverAuth'];
}

function signed(name: string, subject: string, extensions: readonly string[], signer = 'ca'): Promise<void> {
  return certificate(name, subject, extensions, [
    '-CA',
    `${PKI}/${signer}.crt`,
    '-CAkey',
    `${PKI}/${signer}.key`,
  ]);
}

async function certificate(
  name: string,
  subject: string,
  extensions: readonly string[],
  signer: readonly string[] = [],
): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const out = ['-keyout', `${PKI}/${name}.key`, '-out', `${PKI}/${name}.crt`];
  const extra = extensions.flatMap((each) => ['-addext', each]);
  await run([
    'openssl',
    'req',
    '-x509',
    '-days',
    DAYS,
    '-subj',
    subject,
    ...key,
    ...signer,
    ...extra,
    ...out,
  ]);
}
