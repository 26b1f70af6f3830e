import { equal, match } from 'node:assert/strict';
import { canaryVerdict } from '../../../doctor/canary.ts';

describe('the verdict on a canary', () => {
  const judge = (captures: Record<string, readonly [packets: number, matches: number]>) =>
    canaryVerdict({
      peers: ['b'],
      tun: 'weft0',
      sent: 3,
      captureByLink: new Map(
        Object.entries(captures).map(([name, [packets, matches]]) => [name, { packets, matches }]),
      ),
    });

  it('is a fault where the text left in clear, and names the interface', () => {
    const { verdict, seen } = judge({ weft0: [3, 3], eth0: [9, 1], eth1: [2, 0] });
    equal(verdict, 'fault');
    match(seen, /in clear by eth0 \(1\)$/);
  });

  it('is well where it went into the tunnel and nowhere else', () => {
    equal(judge({ weft0: [3, 3], eth0: [9, 0] }).verdict, 'ok');
  });

  it('is a fault where not all went into the tunnel', () => {
    for (const entered of [0, 2]) equal(judge({ weft0: [entered, entered], eth0: [9, 0] }).verdict, 'fault');
  });

  it('proves nothing where no packet left the host at all', () => {
    equal(judge({ weft0: [3, 3], eth0: [0, 0] }).verdict, 'skipped');
  });
});
