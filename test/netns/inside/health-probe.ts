// Probes /healthz as a kubelet does: a connection each, an answer within a second. Prints the outcomes as JSON: the status,
// or what went wrong. Usage: health-probe.ts PORT TIMES
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const [port, times] = process.argv.slice(2).map(Number) as [number, number];
const TIMEOUT_MS = 1_000;

function probe(): Promise<number | string> {
  const { promise, resolve } = Promise.withResolvers<number | string>();
  const socket = connect(port, '127.0.0.1', () =>
    socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'),
  );
  const timer = setTimeout(() => resolve('no answer in time'), TIMEOUT_MS);
  socket.once('data', (bytes) => resolve(Number(bytes.toString('latin1').split(' ')[1])));
  socket.on('error', (error) => resolve(error.message));
  socket.on('close', () => resolve('closed without an answer'));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

const outcomes: (number | string)[] = [];
for (let i = 0; i < times; i++) {
  outcomes.push(await probe());
  await delay(100);
}
process.stdout.write(`${JSON.stringify(outcomes)}\n`);
