import { WeftError } from '../base/weft-error.ts';
import { runProgram } from './run-program.io.ts';

/** nft ends within this, or is killed. Large foreign rule sets slow it down, so it is generous. */
const NFT_TIMEOUT_MS = 15_000;
/** Of a larger table of another program, nothing is judged. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * Runs nft with `input` as its standard input, in the network namespace of this process; resolves with what it printed.
 * @throws WeftError E_NO_NFT, E_NOT_ROOT, E_NFT: nothing of the input is carried out then.
 */
export async function nft(args: readonly string[], input: string): Promise<string> {
  const { code, signal, stdout, stderr, fault } = await runProgram('nft', args, {
    input,
    env: { LC_ALL: 'C' },
    timeoutMs: NFT_TIMEOUT_MS,
    maxOutput: MAX_OUTPUT_BYTES,
  });
  if (code === 0) return stdout;
  if (fault?.code === 'ENOENT') {
    const remedy = 'install nftables (apt-get install nftables)';
    throw new WeftError('E_NO_NFT', 'the program nft is missing', remedy, { cause: fault });
  }
  throw failed(fault?.message ?? (firstLine(stderr) || `ended by ${signal ?? `exit code ${code}`}`), fault);
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
