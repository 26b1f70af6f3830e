import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endProcess, inNamespace, run, until } from '../../test/cluster/command.ts';
import type { Host, Underlay } from '../../test/cluster/underlay.ts';

/** Two hosts joined by Debian's nebula with its default settings, to compare with. */
export class NebulaPair {
  readonly hosts: readonly [Host, Host];
  /** Overlay addresses of the two. */
  readonly addresses = ['192.168.100.1', '192.168.100.2'] as const;
  readonly #processes: ChildProcess[] = [];

  private constructor(hosts: readonly [Host, Host]) {
    this.hosts = hosts;
  }

  static async start(underlay: Underlay, folder: string): Promise<NebulaPair> {
    const hosts = [await underlay.addHost('neb1', 101), await underlay.addHost('neb2', 102)] as const;
    const pair = new NebulaPair(hosts);
    const home = join(folder, 'nebula');
    await mkdir(home);
    const cert = async (...argv: string[]): Promise<void> => void (await run(['nebula-cert', ...argv]));
    const ca = [join(home, 'ca.crt'), join(home, 'ca.key')] as const;
    await cert('ca', '-name', 'bench', '-out-crt', ca[0], '-out-key', ca[1]);
    for (const [i, host] of hosts.entries()) {
      const out = ['-out-crt', join(home, `${i}.crt`), '-out-key', join(home, `${i}.key`)];
      const who = ['-name', host.name, '-ip', `${pair.addresses[i]}/24`];
      await cert('sign', '-ca-crt', ca[0], '-ca-key', ca[1], ...who, ...out);
      const config = join(home, `${i}.json`);
      await writeFile(config, JSON.stringify(pair.#config(home, i)));
      const [program, ...rest] = inNamespace(host.namespace, ['nebula', '-config', config]);
      pair.#processes.push(spawn(program!, rest, { stdio: 'ignore' }));
    }
    await until('nebula to connect', async () => {
      const argv = ['ping', '-c', '1', '-W', '1', pair.addresses[1]];
      return (await run(argv, { namespace: hosts[0].namespace, mayFail: true })).status === 0;
    });
    return pair;
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) await endProcess(child);
  }

  #config(home: string, i: number): object {
    const other = 1 - i;
    const anybody = [{ port: 'any', proto: 'any', host: 'any' }];
    return {
      pki: { ca: join(home, 'ca.crt'), cert: join(home, `${i}.crt`), key: join(home, `${i}.key`) },
      static_host_map: { [this.addresses[other]!]: [`${this.hosts[other]!.v4}:4242`] },
      lighthouse: { am_lighthouse: false, hosts: [] },
      listen: { host: '0.0.0.0', port: 4242 },
      tun: { dev: 'nebula1' },
      firewall: { outbound: anybody, inbound: anybody },
    };
  }
}
