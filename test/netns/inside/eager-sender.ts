// A pod that sends from its first instruction, UDP port 7779.
//   eager-sender.ts send ADDRESS      sends a datagram every 2 ms, whether it has a network or not
//   eager-sender.ts listen SECONDS    prints "ready", then each new sender's address, one a line
import { createSocket } from 'node:dgram';

const PORT = 7779;
const [mode, argument] = process.argv.slice(2) as [string, string];

if (mode === 'send') {
  const socket = createSocket(argument.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => undefined);
  socket.bind(() => setInterval(() => socket.send('datagram', PORT, argument, () => undefined), 2));
} else {
  const heard = new Set<string>();
  let ready = 0;
  for (const type of ['udp4', 'udp6'] as const) {
    const socket = createSocket({ type, ipv6Only: type === 'udp6' });
    socket.on('message', (_, { address }) => {
      if (heard.has(address)) return;
      heard.add(address);
      console.log(address);
    });
    socket.bind(PORT, type === 'udp4' ? '0.0.0.0' : '::', () => {
      if (++ready === 2) console.log('ready');
    });
  }
  setTimeout(() => process.exit(0), Number(argument) * 1000);
}
