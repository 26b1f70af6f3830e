import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askDaemon } from '../../control/control-client.io.ts';
import type { ControlRequest, ControlResults } from '../../control/control-protocol.ts';
import type { Cluster } from './cluster.ts';
import { ClusterPod } from './cluster-pod.ts';
import { type CommandOptions, type CommandResult, endProcess, inNamespace, run, until } from './command.ts';
import type { Host } from './underlay.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');

/** A weftd serves within two seconds on an idle machine. */
const START_TIMEOUT_MS = 30_000;

export interface NodeOptions {
  /** Further arguments of weftd. */
  readonly args?: readonly string[];
  /** Default: the cluster's. */
  readonly secretFile?: string;
  /** Program to run instead of `bin/weftd`. */
  readonly program?: string;
}

/** One host of a {@link Cluster} and the `weftd` that runs there. */
export class ClusterNode {
  readonly cluster: Cluster;
  readonly host: Host;
  readonly runDir: string;
  readonly stateDir: string;
  readonly logFile: string;
  readonly pods: ClusterPod[] = [];
  readonly #options: NodeOptions;
  /** When weftd was last started, by performance.now(). */
  startedAt = 0;
  #process: ChildProcess | undefined;
  readonly #standingBy: ChildProcess[] = [];
  #log: WriteStream | undefined;

  constructor(cluster: Cluster, host: Host, options: NodeOptions) {
    this.cluster = cluster;
    this.host = host;
    this.#options = options;
    this.runDir = join(cluster.folder, host.name, 'run');
    this.stateDir = join(cluster.folder, host.name, 'state');
    this.logFile = join(cluster.folder, host.name, 'log');
  }

  get name(): string {
    return this.host.name;
  }

  get namespace(): string {
    return this.host.namespace;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async prepare(): Promise<void> {
    await mkdir(this.runDir, { recursive: true });
  }

  /** The command line of this node's weftd. */
  command(): string[] {
    const { program, secretFile, args } = this.#options;
    return [
      program ?? `${REPOSITORY}/bin/weftd`,
      ...['--name', this.name, '--state-dir', this.stateDir, '--run-dir', this.runDir],
      ...['--secret-file', secretFile ?? this.cluster.secretFile],
      ...(args ?? []),
    ];
  }

  /** Starts weftd and waits until it answers. Rejects with its log where it ends before. */
  async start(extra: readonly string[] = []): Promise<void> {
    this.startedAt = performance.now();
    const child = this.#spawn(extra);
    this.#process = child;
    await until(
      `weftd on ${this.name}`,
      async () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${await this.log()}`);
        return await this.ask('status').catch(() => undefined);
      },
      { timeoutMs: START_TIMEOUT_MS },
    );
  }

  /**
   * Starts another weftd beside the weftd that serves, with the same settings and `extra` ones, and waits until it serves in
   * its place. Answers the predecessor, which stands by.
   */
  async succeed(extra: readonly string[] = []): Promise<ChildProcess> {
    const before = this.#process;
    if (before === undefined) throw new Error(`no weftd runs on ${this.name}`);
    this.#standingBy.push(before);
    const child = this.#spawn(extra);
    this.#process = child;
    await this.servedBy(child);
    return before;
  }

  /** Waits until `child` is the weftd that serves. */
  async servedBy(child: ChildProcess): Promise<void> {
    await until(`process ${child.pid} to serve ${this.name}`, async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${await this.log()}`);
      return (await this.ask('process').catch(() => undefined))?.pid === child.pid;
    });
  }

  #spawn(extra: readonly string[]): ChildProcess {
    const [program, ...rest] = inNamespace(this.namespace, [...this.command(), ...extra]);
    this.#log ??= createWriteStream(this.logFile, { flags: 'a' });
    const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    child.stdout.pipe(this.#log, { end: false });
    child.stderr.pipe(this.#log, { end: false });
    return child;
  }

  /** Ends weftd. SIGKILL for a crash. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#process) await endProcess(this.#process, signal);
    this.#process = undefined;
  }

  async log(): Promise<string> {
    return readFile(this.logFile, 'utf8').catch(() => '');
  }

  /** Asks weftd over its control socket. */
  ask<Op extends 'status' | 'peers' | 'ipam' | 'report' | 'process'>(op: Op): Promise<ControlResults[Op]> {
    const request = { op } as ControlRequest & { readonly op: Op };
    return askDaemon<Op>(this.runDir, request, { timeoutMs: 2_000 });
  }

  /** Runs the `weft` command against this node. */
  weft(...args: string[]): Promise<CommandResult> {
    return run([`${REPOSITORY}/bin/weft`, '--run-dir', this.runDir, ...args], { mayFail: true });
  }

  /** Runs a command on this host. */
  run(argv: readonly string[], options: Omit<CommandOptions, 'namespace'> = {}): Promise<CommandResult> {
    return run(argv, { ...options, namespace: this.namespace });
  }

  /** Waits until the tunnels to all `peers` stand. */
  async connected(peers: readonly ClusterNode[], timeoutMs = 30_000): Promise<void> {
    const names = peers.filter((peer) => peer !== this).map((peer) => peer.name);
    await until(
      `${this.name} to reach ${names.join(', ')}`,
      async () => {
        const status = await this.ask('status');
        return names.every((name) =>
          status.peers.some((peer) => peer.name === name && peer.state === 'connected'),
        );
      },
      { timeoutMs },
    );
  }

  /** Waits until this node has a range of addresses. */
  async ready(timeoutMs = 30_000): Promise<void> {
    await until(
      `${this.name} to own addresses`,
      async () => {
        const status = await this.ask('status');
        return status.ipam.state === 'ready' && status.ipam.ranges.length > 0 && status.addresses.length > 0;
      },
      { timeoutMs },
    );
  }

  /** A new pod, attached by the real plugin. */
  async attachPod(name: string): Promise<ClusterPod> {
    const pod = new ClusterPod(this, name);
    this.pods.push(pod);
    await pod.attach();
    return pod;
  }

  async destroy(): Promise<void> {
    for (const pod of this.pods) await pod.destroy();
    for (const child of this.#standingBy) await endProcess(child);
    await this.stop('SIGTERM');
    this.#log?.end();
  }
}
