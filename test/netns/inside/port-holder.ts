// A pod that wants what is meant for its node: binds UDP PORT, sends a datagram to ADDRESS and that port every 50 ms for
// SECONDS, and prints how many datagrams it received.
//   port-holder.ts ADDRESS PORT SECONDS
import { createSocket } from 'node:dgram';

const [address, port, seconds] = process.argv.slice(2) as [string, string, string];
const socket = createSocket('udp4');
let received = 0;
socket.on('message', () => received++);
socket.bind(Number(port), () => {
  const sending = setInterval(() => socket.send('mine', Number(port), address), 50);
  setTimeout(() => {
    clearInterval(sending);
    socket.close();
    console.log(received);
  }, Number(seconds) * 1000);
});
