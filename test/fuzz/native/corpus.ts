import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { concat, readU16LE, writeU16LE } from '../../../base/bytes.ts';
import { VNET_HEADER_LENGTH } from '../../../router/packet/vnet-header.ts';
import { tcpPacket } from '../../unit/router/packet/ip-packets.ts';
import { DATAGRAM_HEAD, generatedFrame, generatedMessage } from '../generated-packets.ts';
import { Noise } from '../inputs.ts';

/**
 * Writes what the programs of libFuzzer beside this file begin with, a folder of inputs for each: without packets that are
 * nearly right they would take hours to find any.
 *
 *   bin/weft-node test/fuzz/native/corpus.ts FOLDER
 */
const INPUTS = 300;
const SEED = 1;

/** `parts` behind their lengths and bytes that the program reads. */
function pieces(parts: readonly (readonly [Uint8Array, ...number[]])[]): Uint8Array {
  return concat(
    ...parts.flatMap(([bytes, ...told]) => {
      const head = new Uint8Array(2 + told.length);
      writeU16LE(head, 0, bytes.length);
      head.set(told, 2);
      return [head, bytes];
    }),
  );
}

function firstPlaintext(message: Uint8Array): Uint8Array {
  const from = 2 + DATAGRAM_HEAD;
  return message.subarray(from, from + readU16LE(message, 2 + 6));
}

const CORPORA: Readonly<Record<string, (index: number) => Uint8Array>> = {
  'ip-packets': (index) => generatedFrame(new Noise(SEED, index)),
  coalescer: (index) => {
    if (index % 2 === 0) {
      const packets = [0, 1, 2].map((i) =>
        generatedFrame(new Noise(SEED, index + i)).subarray(VNET_HEADER_LENGTH),
      );
      return pieces(packets.map((packet, i) => [packet, i & 1]));
    }
    // A flow that joins.
    const ends = { source: '10.33.0.1', destination: '10.32.0.1' };
    const payload = new Uint8Array(1 + index);
    const flow = [0, 1, 2, 3].map((i) =>
      tcpPacket({ ...ends, sequence: i * payload.length, partial: index % 4 === 1 }, payload),
    );
    return pieces(flow.map((packet) => [packet, index % 4 === 1 ? 1 : 0]));
  },
  lanes: (index) => {
    const noise = new Noise(SEED, index);
    return pieces([
      [generatedFrame(noise), 0, 0],
      [generatedMessage(noise), 1, noise.below(30)],
      [firstPlaintext(generatedMessage(noise)), 2, noise.below(256)],
    ]);
  },
};

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: bin/weft-node test/fuzz/native/corpus.ts FOLDER');
  process.exit(2);
}
for (const [name, input] of Object.entries(CORPORA)) {
  mkdirSync(join(folder, name), { recursive: true });
  for (let index = 0; index < INPUTS; index++)
    writeFileSync(join(folder, name, `${index}`), input(index).subarray(0, 65_000));
}
