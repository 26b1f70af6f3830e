import { deepEqual, equal, ok } from 'node:assert/strict';
import { closeSync, fstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OFFER_VERSION } from '../../../../daemon/handover/datapath-offer.ts';
import { heirSocket, readDevices, sendDevices } from '../../../../daemon/handover/devices-message.io.ts';
import { LocalSocket, socketPair } from '../../../../native/local-socket.ts';

describe('the message by which a weftd leaves its devices to the next', () => {
  let runDir: string;
  let open: number[] = [];
  const devices = (): { tun: number; sockets: number[] } => {
    const [tun, socket] = socketPair();
    open.push(tun, socket);
    return { tun, sockets: [socket] };
  };

  beforeEach(() => {
    runDir = mkdtempSync(join(tmpdir(), 'weft-devices-'));
  });

  afterEach(() => {
    for (const fd of open) closeSync(fd);
    open = [];
    rmSync(runDir, { recursive: true });
  });

  /** What arrives of it: its bytes, and what the heir takes of it. */
  const received = async (version: number): Promise<{ bytes: number[]; taken: number[] | undefined }> => {
    let bytes: number[] | undefined;
    let taken: number[] | undefined;
    const socket = LocalSocket.listen(heirSocket(runDir), (request) => {
      bytes = [...request.bytes];
      taken = readDevices(request);
      request.drop();
    });
    try {
      const stream = sendDevices(runDir, version, devices());
      open.push(stream!);
      for (let i = 0; i < 500 && bytes === undefined; i++) await new Promise((r) => setTimeout(r, 2));
      open.push(...(taken ?? []));
      return { bytes: bytes!, taken };
    } finally {
      socket.close();
    }
  };

  it('is of the version that both agreed on, be it not the newest of who sends it', async () => {
    // Whatever OFFER_VERSION says here: it is what was agreed that goes out.
    for (const version of [OFFER_VERSION, OFFER_VERSION + 2])
      deepEqual((await received(version)).bytes, [version]);
  });

  it('brings descriptors of its own, the stream before the devices', async () => {
    const { taken } = await received(OFFER_VERSION);
    equal(taken?.length, 3);
    ok(taken!.every((fd) => fstatSync(fd).isSocket()));
  });

  it('is not taken where it is of a version that the heir cannot have agreed on', async () => {
    equal((await received(OFFER_VERSION + 1)).taken, undefined);
    equal((await received(0)).taken, undefined);
  });

  it('is sent to nobody where none waits', () => {
    equal(sendDevices(runDir, OFFER_VERSION, devices()), undefined);
  });
});
