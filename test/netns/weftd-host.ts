import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askDaemon } from '../../control/control-client.io.ts';
import { type CommandResult, endProcess, inNamespace, run, until } from '../cluster/command.ts';
import { Namespace } from './namespaces.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
export const WEFTD = `${REPOSITORY}/bin/weftd`;
export const WEFT = `${REPOSITORY}/bin/weft`;

/** A cluster's secret as `weft secret new` writes one, another with each call. */
export function newSecret(): string {
  return `${randomBytes(32).toString('base64')}\n`;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A program and its arguments which runs weftd: `unshare`, `setpriv`. */
  readonly under?: readonly string[];
  /** Milliseconds until a weftd that should have refused is killed. Default 10 s. */
  readonly timeoutMs?: number;
}

/** A host for one weftd after another: a namespace with `eth0` (192.0.2.10/24, 2001:db8::10/64) and a folder. */
export class WeftdHost {
  readonly namespace: Namespace;
  readonly folder: string;
  readonly #running = new Set<ChildProcess>();

  private constructor(namespace: Namespace, folder: string) {
    this.namespace = namespace;
    this.folder = folder;
  }

  static async create(): Promise<WeftdHost> {
    const folder = await mkdtemp(join(tmpdir(), 'weftd-host-'));
    try {
      const namespace = await Namespace.create('wd');
      await namespace.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
      await namespace.run('ip', 'address', 'add', '192.0.2.10/24', 'dev', 'eth0');
      await namespace.run('ip', 'address', 'add', '2001:db8::10/64', 'dev', 'eth0', 'nodad');
      await namespace.run('ip', 'link', 'set', 'eth0', 'up');
      const host = new WeftdHost(namespace, folder);
      await host.write('secret', newSecret());
      return host;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A file of mode 0600 in the folder; its path. */
  async write(name: string, text: string, mode = 0o600): Promise<string> {
    await writeFile(this.path(name), text, { mode });
    return this.path(name);
  }

  /** An empty folder of mode 0700; its path. */
  async emptyFolder(name: string): Promise<string> {
    await mkdir(this.path(name), { mode: 0o700 });
    return this.path(name);
  }

  /** The arguments of a weftd that would start: state in `state`, control socket in `run`. */
  args(over: Readonly<Record<string, string>> = {}): string[] {
    const settings = {
      '--name': 'here',
      '--state-dir': this.path('state'),
      '--run-dir': this.path('run'),
      '--secret-file': this.path('secret'),
      '--ipalloc-init': 'seed',
      ...over,
    };
    return Object.entries(settings).flat();
  }

  /** Runs a weftd that is expected to end by itself. */
  refused(args: readonly string[], options: StartOptions = {}): Promise<CommandResult> {
    const { under = [], env = {}, timeoutMs = 10_000 } = options;
    return run([...under, WEFTD, ...args], {
      namespace: this.namespace.name,
      env: { PATH: process.env.PATH ?? '', ...env },
      mayFail: true,
      timeoutMs,
    });
  }

  /** Starts a weftd and waits until it answers on the socket in `runDir`. */
  async serve(
    args: readonly string[],
    options: StartOptions & { readonly runDir?: string; readonly namespace?: string } = {},
  ): Promise<RunningWeftd> {
    const { under = [], env = {}, runDir = this.path('run'), namespace = this.namespace.name } = options;
    const [program, ...rest] = inNamespace(namespace, [...under, WEFTD, ...args]);
    const child = spawn(program!, rest, {
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    const weftd = new RunningWeftd(child);
    await until('weftd to serve', async () => {
      if (child.exitCode !== null) return 'ended';
      return (await askDaemon(runDir, { op: 'status' }).catch(() => undefined)) && 'serving';
    }).then((how) => {
      if (how === 'ended') throw new Error(`weftd ended with ${child.exitCode}: ${weftd.stderr}`);
    });
    return weftd;
  }

  /** All that weft could have left in the host's network, as text; empty on a host that never ran it. */
  async traces(): Promise<string> {
    const script = [
      'ip -o link show type tun',
      'ip -4 route show proto 87',
      'ip -6 route show proto 87',
      'nft list tables',
      'sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding',
    ];
    const { stdout } = await run(['sh', '-c', script.join(';')], { namespace: this.namespace.name });
    return stdout.replace(/^net\.\S+ = 0$/gm, '').trim();
  }

  /** The names in a folder under this host's, none where it is missing. */
  async names(folder: string): Promise<string[]> {
    return (await readdir(this.path(folder)).catch(() => [])).sort();
  }

  async destroy(): Promise<void> {
    for (const child of this.#running) await endProcess(child, 'SIGKILL');
    await this.namespace.delete();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A weftd that serves. */
export class RunningWeftd {
  readonly child: ChildProcess;
  stderr = '';

  constructor(child: ChildProcess) {
    this.child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
  }

  /** Its exit code once it has ended by itself; rejects after `timeoutMs`. */
  ended(timeoutMs = 5_000): Promise<number | null> {
    return until('weftd to end', () => this.child.exitCode ?? undefined, { timeoutMs });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await endProcess(this.child, signal);
  }
}
