import { spawn } from 'node:child_process';
import { createConnection } from 'node:net';
import { fileURLToPath } from 'node:url';

export const WEFT_NET = fileURLToPath(new URL('../../cni/shim/build/weft-net', import.meta.url));

/** A plugin that has not ended by then is killed: longer than the shim's own bound. */
const PLUGIN_TIMEOUT_MS = 70_000;

export interface PluginCall {
  readonly command: string | undefined;
  /** File of the namespace that the plugin runs in: the node's. */
  readonly node: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  /** Sent as JSON; a string is sent as it is. */
  readonly config?: Readonly<Record<string, unknown>> | string;
  /** Set over those above; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default weft-net. */
  readonly binary?: string;
  /** SIGKILL after so many milliseconds. */
  readonly killAfterMs?: number;
}

export interface PluginOutcome {
  /** Exit code, −1 where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
  /** stdout as the one JSON document it must be; undefined where it is empty. Reading it throws where it is neither. */
  readonly json: PluginDocument | undefined;
}

export interface PluginDocument {
  readonly cniVersion: string;
  readonly code?: number;
  readonly msg?: string;
  readonly details?: string;
  readonly supportedVersions?: readonly string[];
  readonly interfaces?: readonly {
    readonly name: string;
    readonly mac: string;
    readonly sandbox?: string;
    readonly mtu?: number;
  }[];
  readonly ips?: readonly {
    readonly address: string;
    readonly gateway: string;
    readonly interface: number;
    readonly version?: string;
  }[];
  readonly routes?: readonly { readonly dst: string; readonly gw: string }[];
  readonly dns?: Readonly<Record<string, unknown>>;
}

/** Runs a plugin as a runtime does: its parameters in the environment, the config on stdin. */
export function runPlugin(call: PluginCall): Promise<PluginOutcome> {
  const env: Record<string, string> = {};
  const given = {
    CNI_COMMAND: call.command,
    CNI_CONTAINERID: call.containerId,
    CNI_NETNS: call.netns,
    CNI_IFNAME: call.ifname,
    CNI_PATH: '/usr/lib/cni',
    PATH: process.env.PATH,
    ...call.env,
  };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) env[name] = value;
  const started = performance.now();
  return new Promise((resolve, reject) => {
    // nsenter becomes the plugin (it does not fork for a network namespace), so killing it kills the plugin.
    const child = spawn('nsenter', [`--net=${call.node}`, call.binary ?? WEFT_NET], { env });
    const kill = setTimeout(() => child.kill('SIGKILL'), call.killAfterMs ?? PLUGIN_TIMEOUT_MS);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
    });
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(kill);
      const ms = performance.now() - started;
      resolve({
        code: code ?? -1,
        stdout,
        stderr,
        ms,
        get json() {
          return stdout === '' ? undefined : (JSON.parse(stdout) as PluginDocument);
        },
      });
    });
    child.stdin.on('error', () => undefined); // a plugin that fails early does not read it
    child.stdin.end(typeof call.config === 'string' ? call.config : JSON.stringify(call.config ?? {}));
  });
}

/** One request on a control socket. */
export function ask(socketPath: string, request: unknown): Promise<{ ok: boolean; result?: unknown }> {
  return new Promise((resolve, reject) => {
    const text = Buffer.from(JSON.stringify(request));
    const head = Buffer.alloc(4);
    head.writeUInt32LE(text.length);
    const connection = createConnection(socketPath, () => connection.write(Buffer.concat([head, text])));
    const parts: Buffer[] = [];
    connection.on('data', (data) => parts.push(data));
    connection.on('error', reject);
    connection.on('close', () => {
      const all = Buffer.concat(parts);
      if (all.length < 4) reject(new Error('the daemon closed the connection'));
      else resolve(JSON.parse(all.subarray(4).toString()) as { ok: boolean; result?: unknown });
    });
  });
}
