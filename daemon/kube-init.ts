import { chmodSync, copyFileSync, renameSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { hex, utf8 } from '../base/bytes.ts';
import { WeftError } from '../base/weft-error.ts';
import { generateClusterSecret, parseClusterSecret } from '../crypto/cluster-secret.ts';
import { cryptoReady } from '../crypto/ready.ts';
import { fileFault, replaceFile } from '../host/durable-file.io.ts';
import { osRandom } from '../host/os-random.io.ts';
import { ownVersion } from '../host/version.io.ts';
import { inClusterAccess } from '../kube/access/in-cluster.io.ts';
import { ApiClient } from '../kube/api-client.io.ts';
import { bytesOfBase64 } from '../kube/base64.ts';
import { obtainSecret, type SecretOptions } from '../kube/cluster-secret.io.ts';
import { genesisObject } from '../kube/ring-object.ts';
import { keptObjects } from './state/kept-objects.io.ts';

/**
 * The entry point of the init container: what a node needs before its weftd can run in a pod.
 *
 *   kube-init --secret-out FILE [--state-dir DIR] [--plugin FILE --plugin-dir DIR]
 *
 * Installs the CNI plugin on the host, gets the cluster's secret from the API, puts it back or makes it where it is not
 * there (`decideSecret`), and writes it to a file that weftd reads. While the API does not answer it tries on. Exit
 * status: 1 a fault of the environment, 2 of usage.
 */
const USAGE = 'usage: kube-init --secret-out FILE [--state-dir DIR] [--plugin FILE --plugin-dir DIR]';

try {
  const options = readOptions();
  if (options.plugin !== undefined && options['plugin-dir'] !== undefined)
    installPlugin(options.plugin, options['plugin-dir']);
  await cryptoReady;
  writeSecret(options['secret-out'], await clusterSecret(options['state-dir']));
} catch (error) {
  process.stderr.write(`kube-init: ${error instanceof WeftError ? error.line : (error as Error).stack}\n`);
  process.exitCode = 1;
}

function readOptions(): {
  'secret-out': string;
  'state-dir'?: string;
  plugin?: string;
  'plugin-dir'?: string;
} {
  try {
    const { values } = parseArgs({
      options: {
        'secret-out': { type: 'string' },
        'state-dir': { type: 'string' },
        plugin: { type: 'string' },
        'plugin-dir': { type: 'string' },
      },
    });
    const { 'secret-out': secretOut, ...rest } = values;
    if (secretOut === undefined || (rest.plugin === undefined) !== (rest['plugin-dir'] === undefined))
      throw new Error(USAGE);
    return { 'secret-out': secretOut, ...rest };
  } catch (error) {
    process.stderr.write(`kube-init: ${(error as Error).message}\n`);
    process.exit(2);
  }
}

/** By rename, so that a runtime never starts half a plugin, and one that runs is not disturbed. */
function installPlugin(from: string, folder: string): void {
  const path = `${folder}/weft-net`;
  const temporary = `${folder}/.weft-net.new`;
  try {
    copyFileSync(from, temporary);
    chmodSync(temporary, 0o755);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw fileFault(path, 'cannot be installed', cause, 'E_PLUGIN');
  }
}

/** The text of the cluster's secret; tries until the API grants it. */
async function clusterSecret(stateDir: string | undefined): Promise<string> {
  const access = inClusterAccess(process.env);
  const client = new ApiClient(access, `kube-init/${ownVersion()}`);
  try {
    return await obtainSecret({
      client,
      namespace: access.namespace,
      kept: stateDir === undefined ? undefined : readKept(stateDir, access.namespace),
      newSecret: () => generateClusterSecret(osRandom),
      clusterIdOf,
      random: osRandom,
      say: (line) => process.stderr.write(`kube-init: ${line}\n`),
    });
  } finally {
    client.close();
  }
}

/** What this node kept of this namespace; undefined where it has no part in a ring, or what it kept is damaged. */
function readKept(stateDir: string, namespace: string): SecretOptions['kept'] {
  const kept = keptObjects(stateDir);
  const genesis = kept && bytesOfBase64(kept.genesis);
  if (kept === undefined || genesis === undefined || kept.namespace !== namespace) return undefined;
  try {
    const clusterId = clusterIdOf(kept.secret);
    const told = { clusterId, founder: '', ranges: [] };
    return {
      secret: { text: kept.secret, clusterId },
      genesisObject: genesisObject(namespace, genesis, told),
    };
  } catch {
    return undefined;
  }
}

function clusterIdOf(text: string): string {
  return hex(parseClusterSecret(text).clusterId);
}

/** Throws E_SECRET_… where it is none. */
function writeSecret(path: string, secret: string): void {
  parseClusterSecret(secret);
  replaceFile(path, utf8(`${secret.trim()}\n`));
}
