import type { ChildProcess } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askNpc } from '../../../control/ask-npc.io.ts';
import type { PolicyStatusResult } from '../../../control/npc-request.ts';
import { GATE_MARK } from '../../../npc/gate/attachment-file.ts';
import { until } from '../../cluster/command.ts';
import type { Namespace } from '../namespaces.ts';

const WEFT_NPC = fileURLToPath(new URL('../../../bin/weft-npc', import.meta.url));

/** Who hangs on a link, as weftd writes it into its run folder. */
export interface WrittenAttachment {
  readonly link: string;
  readonly addresses: readonly string[];
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string } | null;
  readonly serial?: string;
  readonly ungoverned?: boolean;
}

/** The folders of a node's weft-npc, and the processes that work on them, with CAP_NET_ADMIN and no other capability. */
export class NpcHost {
  readonly runDir: string;
  readonly stateDir: string;
  readonly #namespace: Namespace;
  readonly #args: readonly string[];
  readonly #env: readonly string[];
  readonly #command: readonly string[];

  constructor(
    namespace: Namespace,
    at: {
      readonly runDir: string;
      readonly stateDir: string;
      readonly nodeName: string;
      readonly isGated?: boolean;
      /** A folder whose programs go before those of the host. */
      readonly bin?: string;
      /** What runs weft-npc, with its own arguments behind it. Default: bin/weft-npc. */
      readonly command?: readonly string[];
    },
    kubeconfig: string,
  ) {
    this.#namespace = namespace;
    this.runDir = at.runDir;
    this.stateDir = at.stateDir;
    mkdirSync(join(this.runDir, 'pods'), { recursive: true, mode: 0o700 });
    if (at.isGated !== false) writeFileSync(join(this.runDir, GATE_MARK), '');
    this.#env = at.bin === undefined ? [] : ['env', `PATH=${at.bin}:${process.env.PATH}`];
    this.#command = at.command ?? [WEFT_NPC];
    const health = ['--health-listen', '127.0.0.1:6785'];
    const folders = ['--run-dir', this.runDir, '--state-dir', this.stateDir];
    this.#args = ['--node-name', at.nodeName, ...folders, '--kubeconfig', kubeconfig, ...health];
  }

  /** What weftd does before a link is up: a file is whole at any moment. */
  attach({ link, addresses, pod, serial = `${link}-1`, ungoverned }: WrittenAttachment): void {
    const file = {
      version: 1,
      link,
      serial,
      addresses,
      pod,
      containerId: link,
      ...(ungoverned ? { ungoverned } : {}),
    };
    const path = join(this.runDir, 'pods', `${link}.json`);
    writeFileSync(`${path}.new`, JSON.stringify(file));
    renameSync(`${path}.new`, path);
  }

  /** What weftd does when a link is gone. */
  detach(link: string): void {
    rmSync(join(this.runDir, 'pods', `${link}.json`));
  }

  start(args: readonly string[] = []): NpcProcess {
    const alone = ['--bounding-set', '-all,+net_admin', '--inh-caps', '-all'];
    // As in the image, where nft finds no names of protocols.
    const inImage = [
      '--mount',
      'sh',
      '-c',
      'mount --bind /dev/null /etc/protocols && exec setpriv "$@"',
      '-',
    ];
    const child = this.#namespace.start('unshare', [
      ...inImage,
      ...alone,
      ...this.#env,
      ...this.#command,
      ...this.#args,
      ...args,
    ]);
    return new NpcProcess(child, this.#namespace);
  }

  /** What `/readyz` says. */
  async readiness(): Promise<string> {
    const { stdout } = await this.#namespace.attempt('curl', [
      '-s',
      '--max-time',
      '2',
      'http://127.0.0.1:6785/readyz',
    ]);
    return stdout.trim();
  }

  async ready(): Promise<void> {
    await until('weft-npc to be ready', async () => (await this.readiness()) === 'ok');
  }

  status(): Promise<PolicyStatusResult> {
    return askNpc(this.runDir, { op: 'policyStatus' });
  }
}

/** One weft-npc. */
export class NpcProcess {
  log = '';
  readonly child: ChildProcess;
  readonly #namespace: Namespace;

  constructor(child: ChildProcess, namespace: Namespace) {
    this.child = child;
    this.#namespace = namespace;
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
  }

  async says(text: string): Promise<void> {
    await until(`weft-npc to say '${text}'`, () => this.log.includes(text));
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#namespace.stop(this.child, signal);
  }
}
