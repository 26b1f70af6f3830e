// Holds COUNT connections to a port of loopback, from two addresses, by three habits in turn: says nothing; sends a byte
// of a request now and then; asks and keeps the connection. A connection that is closed is opened again soon.
// Prints "holding" when all were opened once. Usage: health-attacker.ts PORT COUNT
import { connect } from 'node:net';

const [port, count] = process.argv.slice(2).map(Number) as [number, number];
const AGAIN_MS = 250;
const DRIBBLE_MS = 100;
const REQUEST = 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nX: ';
let opened = 0;

function hold(habit: number): void {
  const socket = connect({
    port,
    host: '127.0.0.1',
    localAddress: habit % 2 === 0 ? '127.0.0.1' : '127.0.0.2',
  });
  let timer: NodeJS.Timeout | undefined;
  let told = false;
  const tell = (): void => {
    if (told) return;
    told = true;
    if (++opened === count) process.stdout.write('holding\n');
  };
  socket.on('connect', () => {
    tell();
    if (habit === 1) {
      let at = 0;
      timer = setInterval(() => socket.write(REQUEST[at++] ?? 'x'), DRIBBLE_MS);
    } else if (habit === 2) socket.write(`${REQUEST}\r\n\r\n`);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    clearInterval(timer);
    setTimeout(hold, AGAIN_MS, habit);
  });
}

for (let i = 0; i < count; i++) hold(i % 3);
