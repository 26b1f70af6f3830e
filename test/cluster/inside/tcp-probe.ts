/**
 * One TCP connection that is never quiet, to see how long a network takes its break.
 *
 *   tcp-probe.ts serve ADDRESS PORT           echoes, for ever
 *   tcp-probe.ts ask ADDRESS PORT SECONDS     asks every 10 ms over one connection, then, or at SIGTERM, prints what it
 *                                             saw as JSON
 */
import { createConnection, createServer } from 'node:net';

const EVERY_MS = 10;
/** A connection without any answer for so long counts as broken. */
const BROKEN_AFTER_MS = 60_000;

const [mode, address = '', port = '', seconds = ''] = process.argv.slice(2);
if (mode === 'serve')
  createServer((socket) => socket.pipe(socket).on('error', () => {})).listen(Number(port), address);
else ask();

function ask(): void {
  const socket = createConnection({ host: address, port: Number(port), noDelay: true });
  let answers = 0;
  let longestGapMs = 0;
  let lastAt = performance.now();
  const finish = (broken: string | undefined): void => {
    longestGapMs = Math.max(longestGapMs, performance.now() - lastAt);
    console.log(JSON.stringify({ answers, longestGapMs: Math.round(longestGapMs), broken: broken ?? null }));
    process.exit(0);
  };
  socket.on('data', (data) => {
    const now = performance.now();
    longestGapMs = Math.max(longestGapMs, now - lastAt);
    lastAt = now;
    answers += data.length;
  });
  socket.on('error', (error) => finish(error.message));
  socket.on('close', () => finish('closed'));
  socket.on('connect', () => {
    console.log('connected');
    lastAt = performance.now();
    setInterval(() => {
      socket.write('x');
      if (performance.now() - lastAt > BROKEN_AFTER_MS) finish('silent');
    }, EVERY_MS);
    setTimeout(() => finish(undefined), 1000 * Number(seconds));
    process.once('SIGTERM', () => finish(undefined));
  });
}
