import { setInterval as every } from 'node:timers/promises';
import { WeftError } from '../base/weft-error.ts';
import { askNpc } from '../control/ask-npc.io.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { ControlRequest, ControlResults } from '../control/control-protocol.ts';
import type { NpcRequest, NpcResults } from '../control/npc-request.ts';
import { ownVersion } from '../host/version.io.ts';
import type { ApiAccess } from '../kube/access/api-access.ts';
import { inClusterAccess } from '../kube/access/in-cluster.io.ts';
import { kubeconfigAccess } from '../kube/access/kubeconfig.io.ts';
import { pageFiles } from './page-files.io.ts';
import type { DropReasons } from './picture/picture-maker.ts';
import type { AskedPrograms } from './picture-source.io.ts';
import { UiServer } from './ui-server.io.ts';
import { UiTerminal } from './ui-terminal.io.ts';

/** Where nobody has looked for so long, it ends: a forgotten `kubectl exec` leaves nothing behind. */
const UNWATCHED_MS = 3_600_000;
const UNWATCHED_LOOK_MS = 60_000;

interface UiSettings {
  readonly runDir: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly cluster: boolean;
  /** Whether tokens of Kubernetes are taken. */
  readonly tokens: boolean;
  /** Where the API server is; undefined: what the pod knows of it. */
  readonly kubeconfig: string | undefined;
  readonly reasons: DropReasons;
}

/**
 * Serves the page until the user ends it, their terminal goes, or nobody has looked for an hour; says why it ended. Rejects with
 * E_NO_DAEMON, E_UI_PORT, E_NO_KUBERNETES, E_KUBECONFIG.
 */
export async function serveUi(
  settings: UiSettings,
  /** Says where the page is; called again for each link that the user asks for. */
  tellLink: (link: string, port: number) => void,
): Promise<'stopped' | 'unwatched'> {
  const { runDir, port, cluster, tokens, kubeconfig, reasons } = settings;
  const kubernetes = tokens ? apiOf(kubeconfig) : undefined;
  // Who starts it is told at once where no weftd runs; later the page says so, for one may be replaced meanwhile.
  await askDaemon(runDir, { op: 'process' });
  const asked: AskedPrograms = {
    weftd: <Op extends keyof ControlResults>(
      request: ControlRequest & { readonly op: Op },
      signal?: AbortSignal,
    ) => askDaemon<Op>(runDir, request, signal === undefined ? {} : { signal }),
    npc: <Op extends keyof NpcResults>(request: NpcRequest & { readonly op: Op }) =>
      askNpc<Op>(runDir, request),
  };
  const version = ownVersion();
  const files = pageFiles();
  const server = await UiServer.listen({ port, files, asked, cluster, reasons, kubernetes, version }).catch(
    (cause: unknown) => {
      const { code } = cause as NodeJS.ErrnoException;
      const why = code === 'EADDRINUSE' ? 'is taken' : `cannot be listened on (${code})`;
      throw new WeftError('E_UI_PORT', `port ${port} of 127.0.0.1 ${why}`, 'give another one with --port', {
        cause,
      });
    },
  );
  const terminal = new UiTerminal();
  try {
    const tell = (): void => tellLink(server.newLink(), server.port);
    terminal.onLine(tell);
    tell();
    return await Promise.race([terminal.gone, unwatched(server)]);
  } finally {
    terminal.close();
    await server.close();
  }
}

async function unwatched(server: UiServer): Promise<'unwatched'> {
  let seenAt = performance.now();
  for await (const _ of every(UNWATCHED_LOOK_MS, undefined, { ref: false })) {
    if (server.viewers > 0) seenAt = performance.now();
    if (performance.now() - seenAt > UNWATCHED_MS) break;
  }
  return 'unwatched';
}

function apiOf(kubeconfig: string | undefined): ApiAccess {
  if (kubeconfig !== undefined) return kubeconfigAccess(kubeconfig);
  return inClusterAccess(process.env, { remedy: 'run it in a pod of Weft, or give --kubeconfig' });
}
