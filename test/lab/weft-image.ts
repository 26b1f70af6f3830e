import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../cluster/command.ts';
import { IMAGE_FOLDER, ROOT } from './harness/paths.ts';

/** The name under which the manifest asks for the image, in full. */
export const WEFT_IMAGE = 'docker.io/weft/weft:0.1.0';

const STORE = `${dirname(IMAGE_FOLDER)}/buildah`;
const BASE = 'localhost/weft-lab-base:1';
/** What the Dockerfile installs is there already, so that its step is short. */
const BASE_PACKAGES = 'ca-certificates,g++,make,libuv1-dev,nftables';
/** Folders that are not in the image. */
const LEFT_OUT = /^(test|bench|docs|\.ci)\//;
const LIMIT_MS = 600_000;

/**
 * The project's own image, built from its Dockerfile, as an archive that containerd imports. The public base image
 * cannot be had without a registry, so a Debian with this machine's Node.js stands in for it (`--build-arg BASE`).
 * Built anew where a source has changed. Answers the path.
 */
export async function makeWeftImage(): Promise<string> {
  const [archive, stamp] = [`${IMAGE_FOLDER}/weft.tar`, `${IMAGE_FOLDER}/weft.stamp`];
  const wanted = await sourceHash();
  if (existsSync(archive) && existsSync(stamp) && (await readFile(stamp, 'utf8')) === wanted) return archive;
  await buildImage(ROOT, archive, WEFT_IMAGE);
  await writeFile(stamp, wanted);
  return archive;
}

/** The name of an earlier version's image, in full. */
export function earlierImage(commit: string): string {
  return `${WEFT_IMAGE}-${commit.slice(0, 12)}`;
}

/** The same of an earlier commit, from the repository's history. Built once. Answers the path. */
export async function makeEarlierImage(commit: string): Promise<string> {
  const archive = `${IMAGE_FOLDER}/weft-${commit.slice(0, 12)}.tar`;
  if (existsSync(archive)) return archive;
  const sources = `${STORE}/${commit}`;
  try {
    await mkdir(sources, { recursive: true });
    await run(['git', '-C', ROOT, 'archive', '-o', `${sources}/sources.tar`, commit]);
    await run(['tar', '-xf', `${sources}/sources.tar`, '-C', sources]);
    await rm(`${sources}/sources.tar`);
    await buildImage(sources, archive, earlierImage(commit));
  } finally {
    await rm(sources, { recursive: true, force: true });
  }
  return archive;
}

/** Carries out the Dockerfile in `folder`; the archive is there whole or not at all. */
async function buildImage(folder: string, archive: string, name: string): Promise<void> {
  await mkdir(IMAGE_FOLDER, { recursive: true });
  if ((await buildah(['images', '--quiet', BASE], true)).trim() === '') await makeBase();
  const tag = 'localhost/weft:lab';
  const where = ['--isolation', 'chroot', '--network', 'host', '--build-arg', `BASE=${BASE}`];
  await buildah(['bud', ...where, '-t', tag, folder]);
  await rm(`${archive}.new`, { force: true });
  await buildah(['push', '--quiet', tag, `oci-archive:${archive}.new:${name}`]);
  await rename(`${archive}.new`, archive);
}

/** Debian, Node.js 24 with npm, and this machine's way to the package registries. */
async function makeBase(): Promise<void> {
  const root = `${STORE}/base`;
  await rm(root, { recursive: true, force: true });
  await mkdir(STORE, { recursive: true });
  await run(['debootstrap', '--variant=minbase', `--include=${BASE_PACKAGES}`, 'bookworm', root], {
    timeoutMs: LIMIT_MS,
  });
  await cp(process.execPath, `${root}/usr/local/bin/node`);
  const { stdout } = await run(['npm', 'root', '--global']);
  await cp(join(stdout.trim(), 'npm'), `${root}/usr/local/lib/node_modules/npm`, { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', `${root}/usr/local/bin/npm`);
  for (const path of ['/etc/ssl/certs/ca-certificates.crt', '/etc/resolv.conf', '/etc/apt']) {
    if (existsSync(path))
      await cp(path, `${root}${path}`, { recursive: true, dereference: true, force: true });
  }
  // npm is told by its settings whom to trust, not by the machine.
  const settings = ['cafile=/etc/ssl/certs/ca-certificates.crt'];
  const { stdout: registry } = await run(['npm', 'config', 'get', 'registry']);
  settings.push(`registry=${registry.trim()}`);
  await writeFile(`${root}/root/.npmrc`, `${settings.join('\n')}\n`);
  const container = (await buildah(['from', 'scratch'])).trim();
  await buildah(['copy', '--quiet', container, root, '/']);
  await buildah(['commit', '--quiet', container, BASE]);
  await buildah(['rm', container]);
  await rm(root, { recursive: true, force: true });
}

async function buildah(args: readonly string[], mayFail = false): Promise<string> {
  const where = ['--root', `${STORE}/store`, '--runroot', `${STORE}/run`, '--storage-driver', 'vfs'];
  const { stdout } = await run(['buildah', ...where, ...args], { timeoutMs: LIMIT_MS, mayFail });
  return stdout;
}

/** Of every file that the Dockerfile may copy, and of the base. */
async function sourceHash(): Promise<string> {
  const { stdout } = await run(['git', '-C', ROOT, 'ls-files', '-co', '--exclude-standard']);
  const hash = createHash('sha256').update(`${BASE} ${process.version}`);
  for (const name of stdout.split('\n').sort()) {
    if (name === '' || LEFT_OUT.test(name) || !existsSync(`${ROOT}/${name}`)) continue;
    hash.update(`${name}\0`).update(await readFile(`${ROOT}/${name}`));
  }
  return hash.digest('hex');
}
