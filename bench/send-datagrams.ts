/**
 * `send-datagrams.ts ADDRESS COUNT PORTS`: sends COUNT datagrams of 64 B from one socket, in turn to PORTS ports from 1 on;
 * prints how much of a core that took, as JSON. Between two namespaces the kernel carries each of them to its end within
 * the call, so all that happens to it on its way is in that.
 */
import { createSocket } from 'node:dgram';

const [address = '', count = 0, ports = 1] = process.argv
  .slice(2)
  .map((text, i) => (i === 0 ? text : Number(text))) as [string, number, number];
const BATCH = 64;
const data = new Uint8Array(64);
const socket = createSocket({ type: 'udp4', sendBufferSize: 4 << 20 });
await new Promise<void>((resolve) => socket.bind(0, resolve));

/** Sends as many as may be under way, and waits until they are gone. */
function sendBatch(from: number, size: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = size;
    for (let i = from; i < from + size; i++) {
      socket.send(data, 1 + (i % ports), address, (error) => {
        if (error) reject(error);
        else if (--left === 0) resolve();
      });
    }
  });
}

const begun = process.cpuUsage();
for (let sent = 0; sent < count; sent += BATCH) await sendBatch(sent, Math.min(BATCH, count - sent));
const { user, system } = process.cpuUsage(begun);
console.log(JSON.stringify({ microseconds: user + system }));
socket.close();
