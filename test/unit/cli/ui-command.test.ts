import { deepEqual, equal, match } from 'node:assert/strict';
import { Command } from 'commander';
import { WeftError } from '../../../base/weft-error.ts';
import { addUiCommand } from '../../../cli/ui-command.ts';

const LINK = 'http://127.0.0.1:4711/#token';

describe('weft ui', () => {
  /** Runs the command; the server gives `links`, one after the other, and then ends as `end` says. */
  const run = async (
    args: readonly string[],
    {
      links = [LINK],
      end = 'stopped',
      json = false,
      env = {},
    }: {
      readonly links?: readonly string[];
      readonly end?: 'stopped' | 'unwatched';
      readonly json?: boolean;
      readonly env?: Readonly<Record<string, string>>;
    } = {},
  ) => {
    let [out, err] = ['', ''];
    const asked: unknown[] = [];
    const command = new Command('ui').exitOverride().configureOutput({ writeErr: () => undefined });
    const world = {
      ui: async (settings: unknown, tellLink: (link: string, port: number) => void) => {
        asked.push(settings);
        for (const link of links) tellLink(link, 4711);
        return end;
      },
      out: (text: string) => {
        out += text;
      },
      err: (text: string) => {
        err += text;
      },
      env,
    };
    addUiCommand(command, world, { runDir: () => '/run/weft', json: () => json });
    const fault = await command.parseAsync(args, { from: 'user' }).then(
      () => undefined,
      (error: unknown) => error,
    );
    return { out, err, asked, fault: fault instanceof WeftError ? fault.line : fault };
  };

  it('asks for the whole cluster, on any port, by a link alone', async () => {
    const { asked, out, fault } = await run([]);
    equal(fault, undefined);
    deepEqual(asked, [{ runDir: '/run/weft', port: 0, cluster: true, tokens: false, kubeconfig: undefined }]);
    match(out, /^http:\/\/127\.0\.0\.1:4711\/#token\n\n/);
    match(out, /ssh -L 4711:127\.0\.0\.1:4711 /);
  });

  it('passes on what it was given', async () => {
    const { asked } = await run(['--port', '6790', '--here', '--tokens', '--kubeconfig', '/k']);
    deepEqual(asked, [{ runDir: '/run/weft', port: 6790, cluster: false, tokens: true, kubeconfig: '/k' }]);
  });

  it('says how to get there in a pod, and the link alone from then on', async () => {
    const { out } = await run([], {
      links: [LINK, `${LINK}2`],
      env: { KUBERNETES_SERVICE_HOST: '10.96.0.1' },
    });
    match(out, /kubectl -n weft port-forward POD 4711 /);
    match(out, /\nhttp:\/\/127\.0\.0\.1:4711\/#token2\n$/);
  });

  it('prints links alone, as JSON, for programs', async () => {
    const { out, err } = await run([], { json: true, end: 'unwatched' });
    deepEqual([JSON.parse(out), err], [{ link: LINK }, '']);
  });

  it('says why it ended where nobody ended it', async () =>
    match((await run([], { end: 'unwatched' })).err, /nobody looked for an hour/));

  const wrong: readonly (readonly [args: readonly string[], says: RegExp])[] = [
    [['--port', '70000'], /--port '70000' is no port/],
    [['--port', '\u001b[2J'], /--port '\?\[2J' is no port/],
    [['--kubeconfig', '/k'], /--kubeconfig is given without --tokens/],
  ];
  for (const [args, says] of wrong)
    it(`refuses ${JSON.stringify(args)}`, async () => {
      const { asked, fault } = await run(args);
      deepEqual(asked, []);
      match(String(fault), says);
    });
});
