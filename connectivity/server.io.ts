import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { SERVER_PORT } from './check.ts';

/** Connections at once, and how long one may be quiet: the port is open to all who reach it. */
const MAX_CONNECTIONS = 64;
const QUIET_MS = 15_000;

/** Gives back whatever comes to {@link SERVER_PORT} by TCP and UDP, in both families. Resolves once it does. */
export async function serve(): Promise<void> {
  const server = createServer((socket) => {
    socket.setTimeout(QUIET_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  const listening = [once(server.listen(SERVER_PORT), 'listening')];
  for (const type of ['udp4', 'udp6'] as const) {
    const socket = createSocket({ type, ipv6Only: type === 'udp6' });
    // A host without IPv6 has nobody who asks by it.
    socket.on('error', () => socket.close());
    socket.on('message', (bytes, { port, address }) => socket.send(bytes, port, address, () => {}));
    listening.push(
      new Promise((resolve) => {
        socket.once('listening', resolve).once('close', resolve);
        socket.bind(SERVER_PORT);
      }),
    );
  }
  await Promise.all(listening);
}
