import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endProcess, inNamespace, run, until } from '../../test/cluster/command.ts';

const PORT = 7007;
const SOURCE = fileURLToPath(new URL('./ping-pong.c', import.meta.url));

interface OneWayTimes {
  readonly p50us: number;
  readonly p99us: number;
}

/** A server that sends back each byte over TCP, in a namespace, and its clients; `ping-pong.c` says what they measure. */
export class PingPong {
  readonly #program: string;
  readonly #server: ChildProcess;

  private constructor(program: string, server: ChildProcess) {
    this.#program = program;
    this.#server = server;
  }

  /** Builds the program in `folder`. */
  static async start(folder: string, namespace: string): Promise<PingPong> {
    const program = join(folder, 'ping-pong');
    await run(['gcc', '-O2', '-Wall', '-o', program, SOURCE]);
    const [first, ...rest] = inNamespace(namespace, [program, 'serve', String(PORT)]);
    const server = spawn(first!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    server.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await until('ping-pong to listen', () => said.includes('listening'));
    return new PingPong(program, server);
  }

  /** Times of one way, from `namespace` to the server at `address`. */
  async times(namespace: string, address: string, count: number): Promise<OneWayTimes> {
    const argv = [this.#program, 'ask', address, String(PORT), String(count)];
    const { stdout } = await run(argv, { namespace, timeoutMs: 60_000 });
    const [p50us, p99us] = stdout.trim().split(' ').map(Number);
    return { p50us: p50us!, p99us: p99us! };
  }

  async stop(): Promise<void> {
    await endProcess(this.#server, 'SIGTERM', 500);
  }
}
