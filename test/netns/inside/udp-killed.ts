// A UDP socket of the addon that somebody kills with `ss --kill`; prints as JSON what it was told, and what it received
// before and after.
import { spawnSync } from 'node:child_process';
import { openUdp, UDP_WORDS } from '../../../native/udp.ts';

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const PORT = 7779;
const [from, to] = [openUdp('127.0.0.1', 0), openUdp('127.0.0.1', PORT)];
const seen = { received: [] as number[], errors: [] as number[], writable: 0 };
let changed = (): void => undefined;

to.start(
  (_buffer, words, count) => {
    for (let i = 0; i < count; i++) seen.received.push(words[i * UDP_WORDS]!);
    changed();
  },
  () => {
    seen.writable++;
    changed();
  },
  (errno) => {
    seen.errors.push(errno);
    changed();
  },
);

/** Waits until `condition`, or for 5 s. */
async function until(condition: () => boolean): Promise<void> {
  const end = AbortSignal.timeout(5_000);
  while (!condition() && !end.aborted) {
    await new Promise<void>((resolve) => {
      changed = resolve;
      setTimeout(resolve, 100);
    });
  }
}

from.send(LOOPBACK, PORT, new Uint8Array(3), 3, 3, 0);
await until(() => seen.received.length === 1);
to.awaitWritable();
const killed = spawnSync('ss', ['--kill', '--udp', '--all', 'sport', '=', `:${PORT}`], { encoding: 'utf8' });
if (!killed.stdout.includes(`:${PORT}`))
  throw new Error(`ss killed nothing: ${killed.stdout}${killed.stderr}`);
await until(() => seen.errors.length === 1);
from.send(LOOPBACK, PORT, new Uint8Array(5), 5, 5, 0);
await until(() => seen.received.length === 2 && seen.writable === 1);
console.log(JSON.stringify(seen));
from.close();
to.close();
