import { createHash } from 'node:crypto';

/** The checkout. */
export const ROOT = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');

/** Where `tools/lab-build` leaves the lab's programs. */
export const BIN = `${ROOT}/.cache/lab/bin`;

/** Everything that a running lab keeps on disk; gone when it is down. One checkout has one lab at a time. */
export const RUN_FOLDER = `${ROOT}/.cache/lab/run`;

/** Certificates and keys of the running lab; the machines see it at the same path. */
export const PKI = `${RUN_FOLDER}/pki`;

/** The administrator's kubeconfig. */
export const ADMIN_CONFIG = `${PKI}/admin.conf`;

/** Logs of the lab's programs; those of the last lab stay. */
export const LOG_FOLDER = `${ROOT}/.cache/lab/log`;

/** Images as archives, made once from {@link BIN}. */
export const IMAGE_FOLDER = `${ROOT}/.cache/lab/images`;

/** Name of the lab's cgroup in every hierarchy: no two checkouts share one. */
export const CGROUP = `weft-lab-${createHash('sha256').update(ROOT).digest('hex').slice(0, 8)}`;

/** The environment of whatever runs in a machine of the lab. containerd finds the shim of its own version first. */
export const MACHINE_ENV: Readonly<Record<string, string>> = {
  PATH: `${BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/root',
  LANG: 'C.UTF-8',
  KUBECONFIG: ADMIN_CONFIG,
};
