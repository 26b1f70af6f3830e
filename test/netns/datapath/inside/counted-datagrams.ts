// Datagrams that are numbered, to see whether a network loses one, for tests.
//   counted-datagrams.ts hear ADDRESS PORT                  prints "listening", then, when "end" comes, what it heard
//   counted-datagrams.ts say ADDRESS PORT RATE SECONDS      sends RATE a second, then "end" until it is answered
// `say` prints one JSON line: how many were sent, and how many came, came twice, and came after a later one.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const BYTES = 200;
const ROOM = 8 << 20;
const [mode, address = '', port = '', rate = '', seconds = ''] = process.argv.slice(2);
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');

if (mode === 'hear') hear();
else await say();

function hear(): void {
  const seen = new Set<number>();
  let twice = 0;
  let late = 0;
  let newest = -1;
  socket.on('message', (message, from) => {
    if (message.length < BYTES) {
      socket.send(JSON.stringify({ came: seen.size, twice, late }), from.port, from.address);
      return;
    }
    const number = message.readUInt32LE(0);
    if (seen.has(number)) twice++;
    else if (number < newest) late++;
    seen.add(number);
    newest = Math.max(newest, number);
  });
  socket.bind(Number(port), address, () => {
    socket.setRecvBufferSize(ROOM);
    console.log('listening');
  });
}

async function say(): Promise<void> {
  const all = Number(rate) * Number(seconds);
  const begun = performance.now();
  const message = Buffer.alloc(BYTES);
  await new Promise<void>((done) => {
    let sent = 0;
    const timer = setInterval(() => {
      const due = Math.min(all, ((performance.now() - begun) / 1000) * Number(rate), sent + 100);
      for (; sent < due; sent++) {
        message.writeUInt32LE(sent, 0);
        socket.send(Buffer.from(message), Number(port), address);
      }
      if (sent < all) return;
      clearInterval(timer);
      done();
    }, 2);
  });
  const answered = once(socket, 'message') as Promise<[Buffer]>;
  const asking = setInterval(() => socket.send('end', Number(port), address), 500);
  const [answer] = await answered;
  clearInterval(asking);
  socket.close();
  console.log(JSON.stringify({ sent: all, ...JSON.parse(answer.toString()) }));
}
