import type { Command } from 'commander';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';

/** Serves the page until the user ends it. */
export type ServeUi = (
  settings: {
    readonly runDir: string;
    readonly port: number;
    readonly cluster: boolean;
    readonly tokens: boolean;
    readonly kubeconfig: string | undefined;
  },
  /** Says where the page is. */
  tellLink: (link: string, port: number) => void,
) => Promise<'stopped' | 'unwatched'>;

interface UiOptions {
  readonly port: string;
  readonly here?: true;
  readonly tokens?: true;
  readonly kubeconfig?: string;
}

/** Adds `weft ui`. */
export function addUiCommand(
  command: Command,
  world: {
    readonly ui: ServeUi;
    out(text: string): void;
    err(text: string): void;
    readonly env: Readonly<Record<string, string | undefined>>;
  },
  { runDir, json }: { readonly runDir: () => string; readonly json: () => boolean },
): void {
  command
    .option('--port <number>', 'the port on 127.0.0.1; 0 for any that is free', '0')
    .option('--here', 'what this node knows; else also flows and tunnels of all others, which it asks')
    .option(
      '--tokens',
      'also let in who gives a token of Kubernetes: they see the namespaces whose pods they may list',
    )
    .option('--kubeconfig <file>', 'with --tokens: where the API server is, where this is no pod')
    .action(async ({ port, here, tokens, kubeconfig }: UiOptions) => {
      if (kubeconfig !== undefined && !tokens)
        throw usage('--kubeconfig is given without --tokens', 'give both, or none');
      const settings = {
        ...{ runDir: runDir(), port: readPort(port), kubeconfig },
        ...{ cluster: here !== true, tokens: tokens === true },
      };
      let isFirst = true;
      const end = await world.ui(settings, (link, at) => {
        if (json()) world.out(`${JSON.stringify({ link })}\n`);
        else world.out(linkText(link, { isFirst, port: at, isPod: isPod(world.env) }));
        isFirst = false;
      });
      if (end === 'unwatched' && !json()) world.err('weft: nobody looked for an hour: weft ui ends\n');
    });
}

function linkText(
  link: string,
  { isFirst, port, isPod }: { readonly isFirst: boolean; readonly port: number; readonly isPod: boolean },
): string {
  if (!isFirst) return `${link}\n`;
  const lines = [
    link,
    '',
    'Open it in a browser of this host. It works once, within 10 minutes; Enter gives a new one, Ctrl-C ends.',
    ...(isPod
      ? [`From elsewhere: kubectl -n weft port-forward POD ${port}   with the pod of this node`]
      : []),
    ...(isPod ? [] : [`From elsewhere: ssh -L ${port}:127.0.0.1:${port} THIS-HOST`]),
  ];
  return `${lines.join('\n')}\n`;
}

function isPod(env: Readonly<Record<string, string | undefined>>): boolean {
  return (env.KUBERNETES_SERVICE_HOST ?? '') !== '';
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port >= 0 && port <= 65_535) return port;
  throw usage(`--port '${printable(text, 40)}' is no port`, 'give a number from 0 to 65535');
}

function usage(message: string, remedy: string): WeftError {
  return new WeftError('E_USAGE', message, remedy);
}
