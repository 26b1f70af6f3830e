import { deepEqual } from 'node:assert/strict';
import { warningLine } from '../../../../base/warning.ts';
import { datapathWarnings } from '../../../../daemon/status/datapath-warnings.ts';

describe('datapathWarnings', () => {
  it('tells of what the host got wrong, and not of what it has or lacks', () => {
    const warnings = datapathWarnings([
      { name: 'chacha20-poly1305 by OpenSSL', fault: undefined, wrong: false },
      { name: 'UDP super-packets from the TUN', fault: 'this kernel does not grant it', wrong: false },
      { name: 'aes-256-gcm by OpenSSL', fault: 'it opens what was changed on the way', wrong: true },
    ]);
    deepEqual(warnings.map(warningLine), [
      'the datapath does without aes-256-gcm by OpenSSL: it opens what was changed on the way; nothing is lost but ' +
        'speed; another kernel, Node.js or processor may have it right',
    ]);
  });
});
