// A TCP echo for tests.  tcp-echo.ts serve ADDRESS [PORT]           prints "listening", serves until killed
//                        tcp-echo.ts send ADDRESS BYTES [SOURCE]    sends random bytes, checks that they come back
import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';

const PORT = 7777;
const TIMEOUT_MS = 8_000;
const [mode, address, bytes, source] = process.argv.slice(2);

if (mode === 'serve') {
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  }).listen(PORT, address, () => console.log('listening'));
} else if (mode === 'send') {
  const data = randomBytes(Number(bytes));
  const returned = createHash('sha256');
  let count = 0;
  const from = source ? { localAddress: source } : {};
  const socket = connect({ host: address!, port: PORT, ...from }, () => socket.write(data));
  const end = (): void => {
    socket.destroy();
    const same = returned.digest('hex') === createHash('sha256').update(data).digest('hex');
    console.log(JSON.stringify({ returned: count, same }));
    process.exit(0);
  };
  socket.on('data', (part) => {
    returned.update(part);
    count += part.length;
    if (count >= data.length) end();
  });
  socket.on('error', end);
  setTimeout(end, TIMEOUT_MS);
}
