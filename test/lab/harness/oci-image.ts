import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from '../../cluster/command.ts';

/** An image to be written. */
export interface ImageRecipe {
  /** Under each of which it is imported, with registry and tag: `lab.test/busybox:1`. */
  readonly names: readonly string[];
  /** tar files, the lowest first; images may share them. */
  readonly layers: readonly string[];
  /** Of OCI's image configuration: `Entrypoint`, `Cmd`, `Env`, `User`, `ExposedPorts`… */
  readonly config: Readonly<Record<string, unknown>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const OCI = 'application/vnd.oci.image';
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/** Packs a folder as a layer; everything in it belongs to root and is as old as the epoch. */
export async function packLayer(folder: string, path: string): Promise<void> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  await run(['tar', ...same, '-C', folder, '-cf', `${path}.new`, '.'], { timeoutMs: 60_000 });
  await rename(`${path}.new`, path);
}

/** Writes one archive (an OCI layout in a tar file) with all the images, ready for `ctr images import`. */
export async function writeArchive(path: string, recipes: readonly ImageRecipe[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'weft-lab-images-'));
  try {
    await mkdir(`${folder}/blobs/sha256`, { recursive: true });
    const manifests = [];
    for (const recipe of recipes) {
      const manifest = await writeImage(folder, recipe);
      for (const name of recipe.names) {
        manifests.push({ ...manifest, annotations: { 'io.containerd.image.name': name } });
      }
    }
    await writeFile(`${folder}/oci-layout`, JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await writeFile(`${folder}/index.json`, JSON.stringify({ schemaVersion: 2, manifests }));
    await packLayer(folder, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeImage(folder: string, recipe: ImageRecipe): Promise<Descriptor> {
  const layers = [];
  for (const layer of recipe.layers) layers.push(await addLayer(folder, layer));
  const config = await addJson(folder, `${OCI}.config.v1+json`, {
    architecture: ARCHITECTURE,
    os: 'linux',
    config: recipe.config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.digest) }, // uncompressed: the same digests
  });
  const mediaType = `${OCI}.manifest.v1+json`;
  return addJson(folder, mediaType, { schemaVersion: 2, mediaType, config, layers });
}

async function addLayer(folder: string, path: string): Promise<Descriptor> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const digest = hash.digest('hex');
  const blob = `${folder}/blobs/sha256/${digest}`;
  await rm(blob, { force: true });
  await link(path, blob).catch(() => run(['cp', path, blob])); // another file system has no links to ours
  return { mediaType: `${OCI}.layer.v1.tar`, digest: `sha256:${digest}`, size: (await stat(path)).size };
}

async function addJson(folder: string, mediaType: string, value: unknown): Promise<Descriptor> {
  const text = JSON.stringify(value);
  const digest = createHash('sha256').update(text).digest('hex');
  await writeFile(`${folder}/blobs/sha256/${digest}`, text);
  return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
}
