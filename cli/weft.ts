import { readFileSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { utf8 } from '../base/bytes.ts';
import { WeftError } from '../base/weft-error.ts';
import { askNpc } from '../control/ask-npc.io.ts';
import { askDaemon } from '../control/control-client.io.ts';
import { OWN_LINKS } from '../daemon/own-links.ts';
import { createFile } from '../host/durable-file.io.ts';
import { probeTcp } from '../host/tcp-probe.io.ts';
import { runProgram } from './program.ts';

/** The entry point of `weft`. */

/** Standard output has a reader, as far as was seen. */
let isHeard = true;
/** Between two attempts to write to a reader that is slow. */
const SLOW_READER_MS = 5;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

process.exitCode = await runProgram(process.argv.slice(2), {
  ask: askDaemon,
  policy: { ask: askNpc, readText: readPolicyText },
  // Loaded where it is asked for: it needs the native addon, which no question to the daemon does.
  reset: async (options) => (await import('../daemon/reset.io.ts')).resetNode(options),
  doctor: async function* (runDir, flags) {
    const { planHost } = await import('../daemon/planned-host.io.ts');
    const { doctor } = await import('../doctor/doctor.io.ts');
    const { settings, faults } = await planHost(flags, process.env);
    const options = { planned: settings, plannedFaults: faults, own: OWN_LINKS, ownVersion: ownVersion() };
    yield* doctor({ runDir, ...options });
  },
  why: async (runDir, question) =>
    (await import('../why/why.io.ts')).why({ runDir, own: OWN_LINKS, ...question }),
  ui: async (settings, tellLink) => {
    const { dropReasons } = await import('../daemon/status/drop-reasons.ts');
    const { serveUi } = await import('../ui/ui.io.ts');
    return serveUi({ ...settings, reasons: dropReasons() }, tellLink);
  },
  connectivity: async function* (runDir, question) {
    const { connectivity } = await import('../connectivity/connectivity.io.ts');
    yield* connectivity({ runDir, own: OWN_LINKS, ...question, signal: whenEnded() });
  },
  pinging: {
    probeTcp,
    probeSize: async (...probe) => (await import('../host/size-probe.io.ts')).probeSize(...probe),
    pause: (ms) => delay(ms),
  },
  // The library of ciphers alone takes as long to load as all the rest.
  newSecret: async () => {
    const { generateClusterSecret } = await import('../crypto/cluster-secret.ts');
    const { osRandom } = await import('../host/os-random.io.ts');
    return generateClusterSecret(osRandom);
  },
  createFile: (path, content) => createFile(path, utf8(content)),
  out: (text) => write(1, text),
  isHeard: () => isHeard,
  err: (text) => write(2, text),
  env: process.env,
  version: ownVersion(),
});

/** Aborts at the first signal to end; at the second the program ends as it stands. */
function whenEnded(): AbortSignal {
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => ending.abort());
  return ending.signal;
}

/** The text of a file of policies, `-` for standard input. Throws E_READ. */
function readPolicyText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new WeftError('E_READ', `${path} cannot be read: ${why}`, 'give a file of policies', { cause });
  }
}

/** All of `text`, also into a pipe whose reader is slow; nothing more once the reader is gone (`weft peers | head`). */
function write(file: 1 | 2, text: string): void {
  const bytes = utf8(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(file, bytes, at);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') {
        Atomics.wait(NEVER, 0, 0, SLOW_READER_MS);
        continue;
      }
      if (file === 1) isHeard = false;
      return;
    }
  }
}

function ownVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return manifest.version;
}
