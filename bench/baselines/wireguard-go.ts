import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { endProcess, inNamespace, run, until } from '../../test/cluster/command.ts';
import type { Host, Underlay } from '../../test/cluster/underlay.ts';

/** Built by `tools/setup bench` where Go is there. */
const PROGRAM = fileURLToPath(new URL('../../.cache/bench/bin/wireguard', import.meta.url));
const PORT = 51_820;

/** Two hosts joined by wireguard-go with its default settings, to compare with. */
export class WireguardGoPair {
  readonly hosts: readonly [Host, Host];
  /** Addresses of the two within the tunnel. */
  readonly addresses = ['192.168.102.1', '192.168.102.2'] as const;
  readonly #processes: ChildProcess[] = [];

  private constructor(hosts: readonly [Host, Host]) {
    this.hosts = hosts;
  }

  /** Whether there is a program to compare with. */
  static available(): boolean {
    return existsSync(PROGRAM);
  }

  /** Process ids of the two. */
  get daemons(): readonly number[] {
    return this.#processes.map(({ pid }) => pid!);
  }

  static async start(underlay: Underlay): Promise<WireguardGoPair> {
    const hosts = [await underlay.addHost('wg1', 121), await underlay.addHost('wg2', 122)] as const;
    const pair = new WireguardGoPair(hosts);
    const keys = [makeKeys(), makeKeys()] as const;
    for (const [i, { namespace }] of hosts.entries()) {
      // Its control socket has the name of the interface, and all namespaces share the folder.
      const name = `wg${process.pid % 100_000}x${i}`;
      const [program, ...rest] = inNamespace(namespace, [PROGRAM, '--foreground', name]);
      pair.#processes.push(
        spawn(program!, rest, { stdio: 'ignore', env: { ...process.env, LOG_LEVEL: 'error' } }),
      );
      const socket = `/var/run/wireguard/${name}.sock`;
      await until('wireguard-go to listen', () => existsSync(socket));
      const settings = [
        'set=1',
        `private_key=${keys[i]!.secret}`,
        `listen_port=${PORT}`,
        `public_key=${keys[1 - i]!.open}`,
        `endpoint=${hosts[1 - i]!.v4}:${PORT}`,
        `allowed_ip=${pair.addresses[1 - i]}/32`,
      ];
      const answer = await ask(socket, `${settings.join('\n')}\n\n`);
      if (!answer.includes('errno=0')) throw new Error(`wireguard-go refused its settings: ${answer}`);
      await run(['ip', 'addr', 'add', `${pair.addresses[i]}/24`, 'dev', name], { namespace });
      await run(['ip', 'link', 'set', name, 'up'], { namespace });
    }
    await until('wireguard-go to connect', async () => {
      const argv = ['ping', '-c', '1', '-W', '1', pair.addresses[1]];
      return (await run(argv, { namespace: hosts[0].namespace, mayFail: true })).status === 0;
    });
    return pair;
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) await endProcess(child);
  }
}

/** A pair of keys as its control socket takes them. */
function makeKeys(): { readonly secret: string; readonly open: string } {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const inHex = (text: string | undefined): string => Buffer.from(text!, 'base64url').toString('hex');
  return { secret: inHex(d), open: inHex(x) };
}

function ask(socketFile: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(socketFile, () => socket.write(request));
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (answer.endsWith('\n\n')) socket.end();
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
  });
}
