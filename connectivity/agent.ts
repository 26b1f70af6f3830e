import { readFileSync } from 'node:fs';
import type { Check } from './check.ts';
import { serve } from './server.io.ts';
import { tryCheck } from './try.io.ts';

/**
 * What runs in each workload of `weft test`, out of Weft's own image:
 * `agent serve` gives back what it gets; `agent try CHECKS` tries them, and prints an outcome each, one line of JSON;
 * `agent watch MARKER TUN PREFIX SECONDS` looks for the marker in what the host's interfaces send, and prints what it saw. With `--attended`
 * it ends when its standard input does, as when whoever started it is killed.
 */
const [mode, ...rest] = process.argv.slice(2).filter((each) => each !== '--attended');
if (process.argv.includes('--attended')) process.stdin.on('end', () => process.exit(0)).resume();
const say = (line: unknown): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
// As the first process of its container it gets no signal that it does not ask for.
process.on('SIGTERM', () => process.exit(0));

if (mode === 'serve') {
  await serve();
  say({ serving: true });
} else if (mode === 'try') {
  const text = rest[0] === '-' ? readFileSync(0, 'utf8') : (rest[0] ?? '[]');
  for (const check of JSON.parse(text) as Check[]) say(await tryCheck(check));
  say({ done: true });
  process.exit(0);
} else if (mode === 'watch') {
  const { watchMarker } = await import('./watch.io.ts');
  const [marker = '', tun = '', podPrefix = '', seconds = '30'] = rest;
  say(
    await watchMarker(Buffer.from(marker, 'hex'), {
      tun,
      podPrefix,
      patienceMs: Number(seconds) * 1000,
      onOpen: () => say({ watching: true }),
    }),
  );
  process.exit(0);
} else {
  console.error('agent: serve, try or watch is wanted');
  process.exit(2);
}
