// Single UDP datagrams for tests, port 7778 unless given.
//   datagram.ts await ADDRESS                                 prints "ready", then the sender's address as JSON, or
//                                                             null when none came within 300 ms after a line on its
//                                                             input, which says that it was sent
//   datagram.ts send ADDRESS [SOURCE [PORT [SOURCEPORT]]]     sends one; prints true
//   datagram.ts answer ADDRESS                                prints "ready", answers each datagram
//   datagram.ts ask ADDRESS                                   prints "answered", or exits with 1 after 600 ms
import { createSocket } from 'node:dgram';

const PORT = 7778;
const WAIT_MS = 600;
const [mode, address, source, port, sourcePort] = process.argv.slice(2) as [string, string, ...string[]];
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');

const end = (answer: unknown): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(answer === undefined ? 1 : 0));
};

if (mode === 'await') {
  socket.on('message', (_, from) => end(from.address));
  socket.bind(PORT, address, () => console.log('ready'));
  process.stdin.once('data', () => setTimeout(() => end(null), WAIT_MS / 2));
} else if (mode === 'send') {
  socket.bind(Number(sourcePort ?? 0), source, () => {
    socket.send('datagram', Number(port ?? PORT), address, () => end(true));
  });
} else if (mode === 'answer') {
  socket.on('message', (_, from) => socket.send('answer', from.port, from.address));
  socket.bind(PORT, address, () => console.log('ready'));
} else if (mode === 'ask') {
  socket.on('message', () => end('answered'));
  socket.send('question', PORT, address);
  setTimeout(() => process.exit(1), WAIT_MS);
}
