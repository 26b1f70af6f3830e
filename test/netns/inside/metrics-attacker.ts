// Keeps a port for metrics busy, in one of two ways. hold: COUNT connections that send a byte of a request now and then
// and are not opened again. flood: COUNT connections at a time, each opened again as soon as it ends.
// Prints "busy" when all were opened once. Usage: metrics-attacker.ts hold|flood HOST PORT COUNT
import { connect } from 'node:net';

const [way, host, port, count] = process.argv.slice(2) as [string, string, string, string];
const DRIBBLE_MS = 200;
const REQUEST = 'GET /metrics HTTP/1.1\r\nHost: a\r\nX: ';
let tried = 0;

function open(): void {
  const socket = connect({ port: Number(port), host });
  let timer: NodeJS.Timeout | undefined;
  socket.on('connect', () => {
    let at = 0;
    if (way === 'hold') timer = setInterval(() => socket.write(REQUEST[at++] ?? 'x'), DRIBBLE_MS);
    else socket.end(`${REQUEST}\r\n\r\n`);
  });
  socket.on('error', () => {});
  socket.resume();
  const opened = (): void => {
    if (++tried === Number(count)) process.stdout.write('busy\n');
  };
  socket.once('connect', opened).once('error', opened);
  socket.on('close', () => {
    clearInterval(timer);
    if (way === 'flood') setImmediate(open);
  });
}

for (let i = 0; i < Number(count); i++) open();
// However it goes, it stays until it is ended.
setInterval(() => {}, 1_000);
