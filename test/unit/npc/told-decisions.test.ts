import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../../../base/weft-error.ts';
import { decodeRequest, encodeMessage, frame } from '../../../control/control-protocol.ts';
import { errorAnswer } from '../../../control/error-answer.ts';
import type { GateAttachment } from '../../../npc/gate/attachment-file.ts';
import { ToldDecisions } from '../../../npc/told-decisions.io.ts';

interface Asked {
  readonly links: readonly string[];
  readonly unknown: readonly string[];
  readonly pods: readonly { readonly link: string }[];
}

function attachment(link: string): GateAttachment {
  return { link, serial: '1', addresses: [], pod: null, containerId: link, ungoverned: false };
}

function byLink(...links: string[]): ReadonlyMap<string, GateAttachment> {
  return new Map(links.map((link) => [link, attachment(link)]));
}

describe('what weftd is told of decisions', () => {
  let folder: string;
  let server: Server;
  let asked: Asked[];
  /** Of the questions so far, oldest first. */
  let held: Socket[];
  let told: ToldDecisions;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'weft-run-'));
    asked = [];
    held = [];
    server = createServer((socket) => {
      held.push(socket);
      socket.on('error', () => {});
      socket.once('data', (request) => {
        const parsed = decodeRequest(request.subarray(4));
        ok(parsed.ok);
        asked.push(parsed.value as unknown as Asked);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(join(folder, 'weft.sock'), resolve);
    });
    told = new ToldDecisions({
      runDir: folder,
      compiler: { podAt: (link) => ({ namespace: 'shop', name: link, uid: `uid-${link}` }) as never },
      isCurrent: () => true,
      now: () => 0 as never,
      onFault: (error) => {
        throw error;
      },
    });
  });
  afterEach(async () => {
    await told.close();
    for (const socket of held) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
    rmSync(folder, { recursive: true });
  });

  const answer = (at: number, result: object = { ok: true, result: {} }): void =>
    void held[at]!.end(frame(encodeMessage(result)));
  const questions = async (count: number): Promise<void> => {
    for (let waited = 0; asked.length < count && waited < 2_000; waited += 5) await delay(5);
    equal(asked.length, count);
  };

  it('is one question at a time; what comes while weftd hangs is the next one, each pod once', async () => {
    told.tell(byLink('wv1'), new Set(['wv1']));
    await questions(1);
    for (let i = 0; i < 100; i++) told.tell(byLink('wv1', 'wv2'), new Set(['wv1', 'wv2']));
    await delay(50);
    equal(asked.length, 1);
    answer(0);
    await questions(2);
    deepEqual(asked[1]!.links, ['wv2']);
    deepEqual(asked[1]!.pods.map(({ link }) => link).sort(), ['wv1', 'wv2']);
    answer(1);
    await delay(50);
    equal(asked.length, 2);
  });

  it('is told again where weftd refused it', async () => {
    told.tell(byLink('wv1'), new Set(['wv1']));
    await questions(1);
    answer(0, errorAnswer(new WeftError('E_BUSY', 'too much is asked', 'ask again')));
    await delay(50);
    told.tell(byLink('wv1'), new Set(['wv1']));
    await questions(2);
    deepEqual(asked[1]!.links, ['wv1']);
    answer(1);
  });

  it('waits for no weftd that hangs when weft-npc ends', async () => {
    told.tell(byLink('wv1'), new Set(['wv1']));
    await questions(1);
    const begun = performance.now();
    await told.close();
    ok(performance.now() - begun < 1_000);
  });
});
