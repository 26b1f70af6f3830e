import { deepEqual, equal } from 'node:assert/strict';
import type { DeniedPacketStatus } from '../../../control/npc-request.ts';
import { DeniedPolls } from '../../../npc/denied-polls.io.ts';
import { seededRandom } from '../../seeded-random.ts';

function packet(at: number): DeniedPacketStatus {
  const end = { source: '10.0.0.1', sourcePort: 1, destination: '10.0.0.2', destinationPort: 2 };
  return { at, ...end, protocol: 'TCP', way: 'ingress', policies: [] };
}

const stays = (): void => undefined;

describe('questions for denied packets', () => {
  it('are answered as soon as there is one, from the cursor on', async () => {
    const polls = new DeniedPolls(seededRandom(1), true);
    polls.add(packet(1));
    const waiting = polls.wait('', stays);
    polls.add(packet(2));
    const first = await waiting;
    deepEqual([first.denied, first.lost, first.logged], [[packet(2)], 0, true]);
    polls.add(packet(3));
    deepEqual((await polls.wait(first.cursor, stays)).denied, [packet(3)]);
  });

  it('tell how many were not kept', async () => {
    const polls = new DeniedPolls(seededRandom(1), true);
    polls.add(packet(0));
    const { cursor } = await new Promise<{ cursor: string }>((resolve) => {
      void polls.wait('', stays).then(resolve);
      polls.add(packet(1));
    });
    for (let at = 2; at < 1_000; at++) polls.add(packet(at));
    const { denied, lost } = await polls.wait(cursor, stays);
    deepEqual([denied.length, lost], [512, 998 - 512]);
    equal(denied.at(-1)!.at, 999);
  });

  it('with a cursor of another weft-npc begin anew', async () => {
    const polls = new DeniedPolls(seededRandom(1), false);
    polls.add(packet(1));
    for (const cursor of ['0123456789abcdef-0', 'nonsense', '-1']) {
      const waiting = polls.wait(cursor, stays);
      polls.close();
      const { denied, lost, logged } = await waiting;
      deepEqual([denied, lost, logged], [[], 0, false]);
    }
  });

  it('end where the client has gone', async () => {
    const polls = new DeniedPolls(seededRandom(1), true);
    deepEqual((await polls.wait('', (act) => queueMicrotask(act))).denied, []);
  });
});
