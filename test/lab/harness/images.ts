import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { run } from '../../cluster/command.ts';
import { packLayer, writeArchive } from './oci-image.ts';
import { BIN, IMAGE_FOLDER, ROOT } from './paths.ts';

/** Every image of the lab, in one archive. */
export const LAB_IMAGES = `${IMAGE_FOLDER}/lab.tar`;

/** Programs of this machine that tests call in agnhost's image, beside busybox's. */
const TOOLS = ['bash', 'curl', 'dig', 'getent', 'nc', 'ip', 'ss', 'ping', 'iperf3', 'tcpdump'];
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Makes {@link LAB_IMAGES} unless it is there and current: `lab.test/pause:1`, `lab.test/busybox:1`,
 * `lab.test/agnhost:1` and `lab.test/coredns:1`. What upstream's tests use is there under their names for it too.
 */
export async function makeImages(): Promise<void> {
  const stamp = currentStamp();
  const stampFile = `${IMAGE_FOLDER}/.stamp`;
  if (existsSync(LAB_IMAGES) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  mkdirSync(IMAGE_FOLDER, { recursive: true });
  const layer = (name: string): string => `${IMAGE_FOLDER}/${name}.layer`;
  await makeLayer(layer('base'), base);
  await makeLayer(layer('tools'), tools);
  await makeLayer(layer('pause'), (root) => cp(`${BIN}/pause`, `${root}/pause`));
  await makeLayer(layer('agnhost'), agnhost);
  await makeLayer(layer('coredns'), (root) => cp(`${BIN}/coredns`, `${root}/coredns`));
  const env = { Env: [PATH] };
  await writeArchive(LAB_IMAGES, [
    {
      names: ['lab.test/pause:1', ...upstreamNames('pause')],
      layers: [layer('pause')],
      config: { Entrypoint: ['/pause'] },
    },
    {
      names: ['lab.test/busybox:1', ...upstreamNames('busybox')],
      layers: [layer('base')],
      config: { ...env, Cmd: ['sh'] },
    },
    {
      names: ['lab.test/agnhost:1', ...upstreamNames('agnhost')],
      layers: [layer('base'), layer('tools'), layer('agnhost')],
      config: { ...env, Entrypoint: ['/agnhost'], Cmd: ['pause'] },
    },
    {
      // Upstream compares the resolvers of two C libraries; here both have the same.
      names: upstreamNames('glibc-dns-testing'),
      layers: [layer('base'), layer('tools')],
      config: { ...env, Cmd: ['sleep', 'infinity'] },
    },
    { names: ['lab.test/coredns:1'], layers: [layer('coredns')], config: { Entrypoint: ['/coredns'] } },
  ]);
  writeFileSync(stampFile, stamp);
}

/** What the images are made of: the lab's programs, the tools' versions and this recipe. */
function currentStamp(): string {
  const hash = createHash('sha256').update(readFileSync(`${BIN}/.stamp-lab`));
  for (const file of ['images.ts', 'oci-image.ts'])
    hash.update(readFileSync(`${ROOT}/test/lab/harness/${file}`));
  return hash.digest('hex');
}

/** Full names of one of the images that upstream's tests use, each in its own version; their source says them. */
function upstreamNames(image: string): string[] {
  const names = readFileSync(`${BIN}/images.txt`, 'utf8').trim().split('\n');
  const found = new Set(names.filter((each) => each.includes(`/${image}:`)));
  if (found.size === 0) throw new Error(`tools/lab-build found no name for ${image}`);
  return [...found];
}

async function makeLayer(path: string, fill: (root: string) => Promise<void>): Promise<void> {
  const root = `${path}.root`;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
  await fill(root);
  await packLayer(root, path);
  rmSync(root, { recursive: true });
}

/** busybox under all its names, and the files without which few programs run. */
async function base(root: string): Promise<void> {
  for (const folder of ['bin', 'etc', 'root', 'home', 'usr/bin', 'var/lib', 'var/log']) {
    await mkdir(`${root}/${folder}`, { recursive: true });
  }
  await mkdir(`${root}/tmp`, { mode: 0o777 });
  await run(['chmod', '1777', `${root}/tmp`]);
  await cp('/bin/busybox', `${root}/bin/busybox`);
  const { stdout } = await run(['busybox', '--list']);
  for (const name of stdout.trim().split('\n')) {
    if (name !== 'busybox') await symlink('busybox', `${root}/bin/${name}`);
  }
  const users = ['root:x:0:0:root:/root:/bin/sh', 'nobody:x:65534:65534:nobody:/:/bin/false'];
  const upstream = ['user-defined-in-image:x:1000:1000::/home:/bin/sh']; // upstream's tests look for these two
  const groups = ['root:x:0:', 'nogroup:x:65534:', 'group-defined-in-image:x:50000:user-defined-in-image'];
  await writeFile(`${root}/etc/passwd`, `${[...users, ...upstream].join('\n')}\n`);
  await writeFile(`${root}/etc/group`, `${groups.join('\n')}\n`);
  await writeFile(`${root}/etc/nsswitch.conf`, 'hosts: files dns\n');
}

/** {@link TOOLS}, and a shell that calls them: busybox's prefers its own `nc` to any other. */
async function tools(root: string): Promise<void> {
  for (const tool of TOOLS) await copyProgram(root, tool, `/usr/bin/${tool}`);
  await copyProgram(root, 'dash', '/bin/sh');
  await symlink('/usr/bin/bash', `${root}/bin/bash`); // where upstream's manifests look for it
}

/** agnhost, behind the program that does SCTP where the kernel has none; and what the chaos test of policies runs. */
async function agnhost(root: string): Promise<void> {
  await cp(`${BIN}/sctp`, `${root}/agnhost`);
  await cp(`${BIN}/agnhost`, `${root}/agnhost-upstream`);
  for (const file of ['localhost.crt', 'localhost.key', 'policy-agent'])
    await cp(`${BIN}/${file}`, `${root}/${file}`);
  await symlink('agnhost', `${root}/agnhost-2`); // upstream's tests of entry points call it so
  await mkdir(`${root}/uploads`);
}

/** Copies a program of this machine, with the libraries that it loads. */
async function copyProgram(root: string, name: string, to: string): Promise<void> {
  const { stdout: found } = await run(['which', name]);
  const program = realpathSync(found.trim());
  await copyInto(root, program, to);
  const { stdout } = await run(['ldd', program], { mayFail: true }); // fails for a static one
  for (const [, library] of stdout.matchAll(/(\/\S+) \(0x/g)) await copyInto(root, library!, library!);
}

async function copyInto(root: string, from: string, to: string): Promise<void> {
  await mkdir(`${root}${dirname(to)}`, { recursive: true });
  await cp(realpathSync(from), `${root}${to}`);
}
