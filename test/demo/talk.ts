/**
 * What the demo's pods say to each other.
 *
 *   talk.ts hear PORT                 listens on TCP, prints "listening", then "ADDRESS said TEXT" of one caller
 *   talk.ts say ADDRESS PORT TEXT     tells it
 *   talk.ts shout ADDRESS PORT TEXT   sends one UDP datagram, whether anybody listens or not
 */
import { createSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';

const [how, ...args] = process.argv.slice(2);
if (how === 'hear') hear(Number(args[0]));
else if (how === 'say') say(args[0]!, Number(args[1]), args[2]!);
else shout(args[0]!, Number(args[1]), args[2]!);

function hear(port: number): void {
  const server = createServer((socket) => {
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => {
      process.stdout.write(`${socket.remoteAddress?.replace(/^::ffff:/, '')} said ${text}\n`);
      socket.end();
      server.close();
    });
  });
  server.listen({ port, host: '::' }, () => process.stdout.write('listening\n'));
}

function say(host: string, port: number, text: string): void {
  connect({ host, port }, function (this: Socket) {
    this.end(text);
  }).on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}

function shout(host: string, port: number, text: string): void {
  const socket = createSocket('udp4');
  socket.send(text, port, host, () => socket.close());
}
