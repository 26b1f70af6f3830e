// A weftd with a gate that has made room for a successor.
//   forgotten-gate.ts RUN_DIR old|new|without
// Lays a gate, serves the control socket as a weftd does that does not know the gate, keeps it, or runs without --policy,
// and prints as JSON whether the gate still stands when the old weftd has asked.
import { existsSync } from 'node:fs';
import { fail, ok } from '../../../base/result.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { answerOf, serveControl } from '../../../control/control-server.io.ts';
import { removeForgottenGate } from '../../../daemon/policy/forgotten-gate.io.ts';
import { GateFolder } from '../../../daemon/policy/gate-folder.io.ts';
import { stderrLog } from '../../../host/log.io.ts';
import { layGate, readDecided } from '../../../linux/policy-gate.io.ts';

const [runDir, successor] = process.argv.slice(2) as [string, string];
const folder = new GateFolder(runDir);
folder.read();
folder.noteLaid();
await layGate({ add: ['wv0123456789a'] });
const asking = removeForgottenGate({ runDir }, stderrLog({ level: 'info', format: 'text' }));
const socket = serveControl(`${runDir}/weft.sock`, {
  program: 'weftd',
  decode: () => (successor === 'old' ? fail('request-unknown-op') : ok(undefined)),
  answer: () =>
    answerOf(() => {
      if (successor === 'without') throw new WeftError('E_NO_POLICY', 'no gate', 'none');
      return { revision: 'r', attachments: [], peers: [] };
    }),
});
await asking;
socket.close();
const stands = (await readDecided()) !== undefined;
console.log(JSON.stringify({ stands, files: existsSync(`${runDir}/pods`) || folder.wasLaid }));
