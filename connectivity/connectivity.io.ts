import { fileURLToPath } from 'node:url';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { Finding } from '../doctor/finding.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import type { OutsideTarget } from './outside-target.ts';

/** Where a checkout, and the image, have the plugin. */
const OWN_PLUGIN_FOLDERS = ['../cni/shim/build', '../bin'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** What {@link connectivity} is asked. */
export interface ConnectivityQuestion {
  readonly runDir: string;
  readonly own: OwnLinks;
  /** Where workloads are made: in the cluster that it names, else on this host. */
  readonly kubeconfig: string | undefined;
  /** Names of one or two nodes of the cluster; empty: any two. */
  readonly nodes: readonly string[];
  readonly outside: readonly OutsideTarget[];
  /** On a plain host, where the plugin is; undefined: where the runtime finds it, or in this checkout. */
  readonly pluginDir: string | undefined;
  /** Ends the test; it then removes what it made. */
  readonly signal: AbortSignal;
}

/**
 * Tries what workloads reach, by workloads that it makes and removes, and tells each finding as it is made. Rejects where
 * the test itself cannot be made (E_TEST_…), or was ended (E_TEST_ENDED).
 */
export async function* connectivity(question: ConnectivityQuestion): AsyncGenerator<Finding> {
  const { signal } = question;
  try {
    yield* question.kubeconfig === undefined
      ? onThisHost(question)
      : inCluster(question, question.kubeconfig);
  } catch (error) {
    if (!signal.aborted || (error instanceof WeftError && error.code.startsWith('E_TEST_'))) throw error;
  }
  if (signal.aborted)
    throw new WeftError(
      'E_TEST_ENDED',
      'the test was ended, and what it had made is removed',
      'run it again',
    );
}

async function* onThisHost({
  runDir,
  own,
  outside,
  pluginDir,
  signal,
}: ConnectivityQuestion): AsyncGenerator<Finding> {
  const { testPlainHost } = await import('./test-plain-host.io.ts');
  const report = await askDaemon(runDir, { op: 'report' });
  const pluginFolders =
    pluginDir === undefined ? [report.settings.cniBinDir, ...OWN_PLUGIN_FOLDERS] : [pluginDir];
  yield* testPlainHost({ runDir, report, own, pluginFolders, outside, signal });
}

async function* inCluster(question: ConnectivityQuestion, kubeconfig: string): AsyncGenerator<Finding> {
  const { ApiClient } = await import('../kube/api-client.io.ts');
  const { ApiError } = await import('../kube/api-error.ts');
  const { kubeconfigAccess } = await import('../kube/access/kubeconfig.io.ts');
  const { testCluster } = await import('./test-cluster.io.ts');
  const client = new ApiClient(kubeconfigAccess(kubeconfig), 'weft-test');
  try {
    yield* testCluster({ ...question, client });
  } catch (error) {
    // Whoever ends the test breaks off what was asked of the API.
    if (!(error instanceof ApiError) || question.signal.aborted) throw error;
    throw new WeftError(
      'E_TEST_CLUSTER',
      error.message,
      'see that the kubeconfig may make a namespace with pods, and reaches the API server',
      { cause: error },
    );
  } finally {
    client.close();
  }
}
