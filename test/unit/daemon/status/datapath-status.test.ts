import { deepEqual } from 'node:assert/strict';
import { datapathStatus } from '../../../../daemon/status/datapath-status.ts';

describe('datapathStatus', () => {
  it('tells what runs, and of its parts only those that the host has not', () => {
    const features = [
      { name: 'aes-256-gcm by OpenSSL', fault: 'the processor has no instructions for it', wrong: false },
      { name: 'chacha20-poly1305 by OpenSSL', fault: undefined, wrong: false },
      { name: 'TCP super-packets to the TUN', fault: 'this kernel refuses such packets', wrong: true },
    ];
    deepEqual(datapathStatus({ name: 'sleeve', suites: ['chacha20-poly1305'], features }), {
      name: 'sleeve',
      suites: ['chacha20-poly1305'],
      without: [
        { feature: 'aes-256-gcm by OpenSSL', fault: 'the processor has no instructions for it' },
        { feature: 'TCP super-packets to the TUN', fault: 'this kernel refuses such packets' },
      ],
    });
  });
});
