/**
 * `begin-connections.ts ADDRESS COUNT PER_SECOND`: one datagram to each of COUNT ports in turn, from sockets of its own, so
 * that connection tracking takes each for a connection; PER_SECOND of them a second, 0 for as fast as it goes.
 */
import { createSocket } from 'node:dgram';
import { setTimeout as pause } from 'node:timers/promises';

const [address = '', count = '0', perSecond = '0'] = process.argv.slice(2);
/** Ports of one socket, from 1,024 on. */
const PORTS = 60_000;
const BATCH = 100;
const data = new Uint8Array(8);
const begun = performance.now();
for (let sent = 0; sent < Number(count); ) {
  const socket = createSocket({ type: 'udp4', sendBufferSize: 4 << 20 });
  await new Promise<void>((resolve) => socket.bind(0, resolve));
  for (let port = 0; port < PORTS && sent < Number(count); port += BATCH, sent += BATCH) {
    await Promise.all(
      Array.from(
        { length: BATCH },
        (_, i) =>
          new Promise<void>((resolve) => socket.send(data, 1_024 + port + i, address, () => resolve())),
      ),
    );
    const aheadMs =
      Number(perSecond) === 0 ? 0 : begun + ((sent + BATCH) * 1000) / Number(perSecond) - performance.now();
    if (aheadMs > 1) await pause(aheadMs);
  }
  socket.close();
}
console.log(JSON.stringify({ perSecond: Math.round((Number(count) * 1000) / (performance.now() - begun)) }));
