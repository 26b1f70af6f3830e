import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Namespace } from '../namespaces.ts';

const KILLED = fileURLToPath(new URL('../inside/udp-killed.ts', import.meta.url));
const ECONNABORTED = 103;

describe('a UDP socket of the addon', () => {
  let host: Namespace;

  before(async () => {
    host = await Namespace.create('us');
  });

  after(() => host.delete());

  it('says that somebody killed it, and goes on receiving', async () => {
    assert.deepEqual(await host.program(KILLED), { received: [3, 5], errors: [ECONNABORTED], writable: 1 });
  });
});
