// A transfer whose content is checked, for tests.
//   checked-transfer.ts serve ADDRESS            prints "listening", serves until killed
//   checked-transfer.ts tcp ADDRESS MEGABYTES    sends that much over TCP and compares the digest of what arrived
//   checked-transfer.ts udp ADDRESS DATAGRAMS    sends datagrams of all sizes, each with its digest, and asks how many came whole
// Each prints one JSON line.
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const PORT = 7788;
const DIGEST_BYTES = 20;
const LARGEST = 1300;
const CHUNK = randomBytes(1 << 20);
const [mode, address, amount] = process.argv.slice(2);

if (mode === 'serve') serve(address!);
else if (mode === 'tcp') await sendStream(address!, Number(amount));
else if (mode === 'udp') await sendDatagrams(address!, Number(amount));
else throw new Error(`checked-transfer: no mode ${mode}`);

function serve(at: string): void {
  createServer({ allowHalfOpen: true }, (socket) => {
    const digest = createHash('sha256');
    socket.on('error', () => socket.destroy());
    socket.on('data', (part) => digest.update(part));
    socket.on('end', () => socket.end(digest.digest('hex')));
  }).listen(PORT, at, () => console.log('listening'));
  const counts = { whole: 0, damaged: 0 };
  const udp = createSocket(at.includes(':') ? 'udp6' : 'udp4');
  udp.on('message', (message, from) => {
    if (message.length < DIGEST_BYTES) {
      udp.send(JSON.stringify(counts), from.port, from.address);
      return;
    }
    const same = digestOf(message.subarray(DIGEST_BYTES)).equals(message.subarray(0, DIGEST_BYTES));
    counts[same ? 'whole' : 'damaged']++;
  });
  udp.bind({ port: PORT, address: at });
}

async function sendStream(to: string, megabytes: number): Promise<void> {
  const digest = createHash('sha256');
  const socket = connect({ host: to, port: PORT, allowHalfOpen: true });
  await once(socket, 'connect');
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  const ended = once(socket, 'end');
  for (let i = 0; i < megabytes; i++) {
    // Each megabyte is another one, or a lost one would go unseen.
    CHUNK.writeUInt32BE(i, 0);
    const part = Buffer.from(CHUNK);
    digest.update(part);
    if (!socket.write(part)) await once(socket, 'drain');
  }
  socket.end();
  await ended;
  console.log(JSON.stringify({ same: answer === digest.digest('hex') }));
}

async function sendDatagrams(to: string, count: number): Promise<void> {
  const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4');
  for (let i = 0; i < count; i++) {
    const body = CHUNK.subarray(i, i + ((i * 7) % LARGEST));
    await new Promise((done) => socket.send([digestOf(body), body], PORT, to, done));
    if (i % 16 === 0) await sleep(1);
  }
  await sleep(300);
  // A question may be lost as well, where the socket that receives is still full.
  const ask = (): void => socket.send('?', PORT, to);
  ask();
  const asking = setInterval(ask, 1_000);
  const [answer] = (await once(socket, 'message')) as [Buffer];
  clearInterval(asking);
  socket.close();
  console.log(answer.toString());
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha1').update(bytes).digest();
}
