import { deepEqual, equal, ok } from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { askForTunnels, GiverStream } from '../../../../daemon/handover/handover-stream.io.ts';
import { socketPair } from '../../../../native/local-socket.ts';

/** A giver, and what it heard. */
function giver(fd: number): { readonly stream: GiverStream; readonly heard: string[] } {
  const heard: string[] = [];
  const stream = new GiverStream(fd, {
    onReady: () => heard.push('ready'),
    onGone: () => heard.push('gone'),
  });
  return { stream, heard };
}

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 2));
  ok(condition());
};

describe('the stream between a weftd that goes and the next', () => {
  it('carries megabytes whole, once the heir asks, and wipes them where they came from', async () => {
    const [a, b] = socketPair();
    const { stream, heard } = giver(a);
    const bytes = new Uint8Array(3_000_000).map((_, i) => i * 7);
    const sent = bytes.slice();
    await new Promise((resolve) => setTimeout(resolve, 20));
    equal(heard.length, 0);
    const asked = askForTunnels(b, 5_000);
    await until(() => heard.includes('ready'));
    await stream.give(sent);
    deepEqual(await asked, bytes);
    ok(sent.every((byte) => byte === 0));
    await until(() => heard.includes('gone'));
  });

  it('tells each end at once that the other is gone', async () => {
    const [a, b] = socketPair();
    const { heard } = giver(a);
    closeSync(b);
    await until(() => heard.includes('gone'));
    deepEqual(heard, ['gone']);
    const [c, d] = socketPair();
    closeSync(c);
    equal(await askForTunnels(d, 5_000), undefined);
  });

  it('gives nothing where the giver dies in the middle, takes too long, or says too much', async () => {
    for (const parts of [[Uint8Array.of(9, 0, 0, 0, 1, 2)], [Uint8Array.of(255, 255, 255, 255)]]) {
      const [a, b] = socketPair();
      const asked = askForTunnels(b, 5_000);
      const raw = new Socket({ fd: a });
      raw.on('error', () => {});
      for (const part of parts) raw.write(part);
      raw.end();
      equal(await asked, undefined);
      raw.destroy();
    }
    const [a, b] = socketPair();
    const { stream } = giver(a);
    equal(await askForTunnels(b, 30), undefined);
    stream.close();
  });

  it('gives nothing to an heir that is gone, and ends', async () => {
    const [a, b] = socketPair();
    const { stream } = giver(a);
    closeSync(b);
    const bytes = new Uint8Array(2_000_000).fill(1);
    await stream.give(bytes);
    ok(bytes.every((byte) => byte === 0));
  });
});
