import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readYamlDocuments } from '../../kube/yaml-documents.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** As in the Dockerfile. */
const IMAGE = { env: ['UV_THREADPOOL_SIZE=8'], args: ['--disable-warning=ExperimentalWarning'] };

interface DaemonSet {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly env: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

/**
 * The command that runs weft-npc as its DaemonSet does: the JavaScript that the image has, which is laid out in `folder`,
 * with the environment that the image and weave-daemonset.yaml give it, and nothing of this process's own for Node.js.
 */
export function npcOfImage(folder: string): readonly string[] {
  mkdirSync(join(folder, 'native'), { recursive: true });
  execFileSync(process.execPath, [...IMAGE.args, join(ROOT, 'tools/strip-types.ts'), folder]);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  cpSync(join(ROOT, 'native/build'), join(folder, 'native/build'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  const objects = readYamlDocuments(readFileSync(join(ROOT, 'weave-daemonset.yaml'), 'utf8')) as DaemonSet[];
  const npc = objects.find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === 'weft-npc')!;
  const env = npc.spec.template.spec.containers[0]!.env.filter(
    ({ value }) => value !== undefined && !value.includes('$('),
  ).map(({ name, value }) => `${name}=${value}`);
  return [
    ...['env', '--unset=NODE_COMPILE_CACHE', ...IMAGE.env, ...env],
    ...[process.execPath, ...IMAGE.args, join(folder, 'npc/weft-npc.js')],
    // $(HOST_IP) in the manifest.
    ...['--metrics-listen', '127.0.0.1:6781'],
  ];
}
