// A process that holds the keys of a session, for tests.
//   key-holder.ts CIPHER            reads a key, as hex, and installs it; says "installed"; at the next line removes it and
//                                   says "removed"; ends when its input does
//   key-holder.ts crash SECRET      ends by a fault, as a bug in C++ would have it; with SECRET "kept" out of dumps
import { createInterface } from 'node:readline';
import { fromHex } from '../../../base/bytes.ts';
import { SUITE_LIMITS } from '../../../crypto/aead.ts';
import type { Suite } from '../../../crypto/suite.ts';
import { keepOutOfDumps } from '../../../native/keep-out-of-dumps.ts';
import { RecordingLanes } from '../router/datapath/fast/recording-lanes.ts';

const INDEX = 5;
const [mode = '', secret] = process.argv.slice(2);

if (mode === 'crash') {
  if (secret === 'kept' && !keepOutOfDumps()) throw new Error('refused');
  process.kill(process.pid, 'SIGSEGV');
}

const lanes = new RecordingLanes(true);
let lines = 0;
for await (const line of createInterface(process.stdin)) {
  if (lines++ === 0) {
    const key = fromHex(line)!;
    const suite = mode as Suite;
    const keys = { sendKey: key, receiveKey: key, aes: suite === 'aes-256-gcm', peerTakesMarks: true };
    lanes.engine.install({ peer: 2, localIndex: INDEX, remoteIndex: 1, ...keys, ...SUITE_LIMITS[suite] });
    key.fill(0);
    console.log('installed');
  } else {
    lanes.engine.remove(INDEX);
    console.log('removed');
  }
}
