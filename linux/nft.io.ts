import { spawn } from 'node:child_process';
import { WeftError } from '../base/weft-error.ts';

/** nft ends within this, or is killed. Large foreign rule sets slow it down, so it is generous. */
const NFT_TIMEOUT_MS = 15_000;
/** Of a larger table of another program, nothing is judged. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Where nft is, should our PATH be that of a service manager without sbin. */
const NFT_PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';

/**
 * Runs nft with `input` as its standard input, in the network namespace of this process; resolves with what it printed.
 * @throws WeftError E_NO_NFT, E_NOT_ROOT, E_NFT: nothing of the input is carried out then.
 */
export function nft(args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', args, {
      env: { PATH: `${process.env.PATH ?? ''}:${NFT_PATH}`, LC_ALL: 'C' },
      timeout: NFT_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        if (output[stream].length < MAX_OUTPUT_BYTES) output[stream] += text;
      });
    }
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') return reject(failed(cause.message, cause));
      const remedy = 'install nftables (apt-get install nftables)';
      reject(new WeftError('E_NO_NFT', 'the program nft is missing', remedy, { cause }));
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output.stdout);
      else reject(failed(firstLine(output.stderr) || `ended by ${signal ?? `exit code ${code}`}`, undefined));
    });
    child.stdin.on('error', () => undefined); // its end is reported by 'close'
    child.stdin.end(input);
  });
}

/** What nft `said` of a table; undefined where there is none. */
export async function unlessMissing(said: Promise<string>): Promise<string | undefined> {
  try {
    return await said;
  } catch (error) {
    if (error instanceof WeftError && error.code === 'E_NFT' && error.message.includes('No such file'))
      return undefined;
    throw error;
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]!.slice(0, 300);
}

function failed(reason: string, cause: unknown): WeftError {
  if (/Operation not permitted/.test(reason)) {
    return new WeftError('E_NOT_ROOT', 'packet rules may not be set', 'run as root or with CAP_NET_ADMIN', {
      cause,
    });
  }
  const remedy = 'see that the kernel has nf_tables with fib, masquerade and NAT';
  return new WeftError('E_NFT', `nft refused the packet rules: ${reason}`, remedy, { cause });
}
