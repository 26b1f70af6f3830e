import { deepEqual, equal, ok } from 'node:assert/strict';
import { Counters } from '../../../../base/counters.ts';
import { type Instant, instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { type Datapath, NO_STATS, type SendOptions } from '../../../../router/datapath/datapath.ts';
import { TUNNEL_COUNTERS } from '../../../../router/tunnel/tunnel-counters.ts';
import { TunnelPorts } from '../../../../router/tunnel/tunnel-ports.ts';
import { seededRandom } from '../../../seeded-random.ts';

const PEER = 'a'.repeat(64) as PeerId;
const FURTHER = 3;

/** Ports that are tried towards a peer, on virtual time. `reach`: those whose probes it gets. */
class Bench {
  readonly counters = new Counters(TUNNEL_COUNTERS);
  readonly ports: TunnelPorts;
  readonly probed: number[] = [];
  readonly told: number[] = [];
  /** When something left from the known port. */
  readonly knownPort: Instant[] = [];
  reach: ReadonlySet<number>;
  sentBytes = 0;
  #answers: Uint8Array[] = [];
  #at: Instant = instant(0);

  constructor(reach: readonly number[]) {
    this.reach = new Set(reach);
    const datapath = {
      stats: () => ({ ...NO_STATS, sentBytes: this.sentBytes }),
      setPorts: (_peer: PeerId, ports: number) => void this.told.push(ports),
      sendControl: (_peer: PeerId, body: Uint8Array, options?: SendOptions) => {
        const { port = 0 } = options ?? {};
        if (port === 0) return this.knownPort.push(this.#at) > 0;
        this.probed.push(port);
        if (this.reach.has(port)) this.#answers.push(body.slice(1));
        return true;
      },
    } as Partial<Datapath> as Datapath;
    const { counters } = this;
    this.ports = new TunnelPorts(PEER, { datapath, random: seededRandom(1), counters });
  }

  /** Lets time pass until `end`, under a stream of so many bytes a second; probes are answered at once. */
  run(from: Instant, end: Instant, bytesPerSecond = 100_000_000): void {
    for (let now = from; ; ) {
      this.sentBytes += ((now - this.#at) / 1000) * bytesPerSecond;
      this.#at = now;
      this.ports.tick(now);
      for (const token of this.#answers.splice(0)) this.ports.answered(token);
      const next = this.ports.nextTimeout();
      if (next === undefined || next > end) return;
      now = next;
    }
  }
}

describe('further source ports of a tunnel', () => {
  it('are probed only where much is sent, and used once their probe was answered', () => {
    const bench = new Bench([1, 3]);
    bench.run(instant(0), instant(60_000));
    deepEqual(bench.probed, []);
    bench.ports.busy(FURTHER, instant(60_000));
    bench.run(instant(60_000), instant(60_000));
    deepEqual(bench.probed, [1, 2, 3]);
    equal(bench.ports.ports, 0b1010);
    equal(bench.told.at(-1), 0b1010);
  });

  it('leave the known port heard while they are in use, and only then', () => {
    const bench = new Bench([1, 2, 3]);
    bench.ports.busy(FURTHER, instant(0));
    bench.run(instant(0), instant(20_000));
    equal(bench.knownPort.length, 21);
    ok(bench.knownPort.every((at, i) => at - (bench.knownPort[i - 1] ?? 0) <= 1_000));
    const unreached = new Bench([]);
    unreached.ports.busy(FURTHER, instant(0));
    unreached.run(instant(0), instant(20_000));
    deepEqual(unreached.knownPort, []);
  });

  it('are asked a second time, for probes may be lost, and those that never answer no more', () => {
    const bench = new Bench([1, 2]);
    bench.ports.busy(FURTHER, instant(0));
    bench.run(instant(0), instant(0));
    bench.reach = new Set([1, 2, 3]);
    bench.run(instant(300), instant(300));
    equal(bench.ports.ports, 0b1110);
    const other = new Bench([1]);
    other.ports.busy(FURTHER, instant(0));
    other.run(instant(0), instant(25_000));
    deepEqual(other.probed, [1, 2, 3, 1, 2, 3, 1, 1]);
  });

  it('are given up one by one when they cease to answer', () => {
    const bench = new Bench([1, 2, 3]);
    bench.ports.busy(FURTHER, instant(0));
    bench.run(instant(0), instant(11_000));
    bench.reach = new Set([1, 3]);
    bench.run(instant(20_300), instant(45_000));
    equal(bench.ports.ports, 0b1010);
  });

  it('are let go when little is sent, and told anew then', () => {
    const bench = new Bench([1, 2, 3]);
    bench.ports.busy(FURTHER, instant(0));
    bench.run(instant(0), instant(11_000));
    bench.run(instant(20_300), instant(45_000), 0);
    equal(bench.ports.ports, 0);
    equal(bench.told.at(-1), 0);
    equal(bench.ports.nextTimeout(), undefined);
  });

  it('are left alone for ten minutes where none reaches the peer', () => {
    const bench = new Bench([]);
    bench.ports.busy(FURTHER, instant(0));
    bench.run(instant(0), instant(500_000));
    deepEqual(bench.probed, [1, 2, 3, 1, 2, 3]);
    bench.ports.busy(FURTHER, instant(500_000));
    bench.run(instant(500_000), instant(500_000));
    equal(bench.probed.length, 6);
    bench.run(instant(611_000), instant(611_000));
    bench.ports.busy(FURTHER, instant(612_000));
    bench.run(instant(612_000), instant(612_000));
    equal(bench.probed.length, 9);
  });

  it('are those of one path: another begins without', () => {
    const bench = new Bench([1, 2, 3]);
    bench.ports.busy(FURTHER, instant(0));
    bench.run(instant(0), instant(0));
    bench.ports.restart();
    equal(bench.ports.ports, 0);
    equal(bench.ports.nextTimeout(), undefined);
  });

  it('count answers that nobody waits for', () => {
    const bench = new Bench([]);
    bench.ports.answered(new Uint8Array(8));
    equal(bench.counters.snapshot()['control.stalePort'], 1);
    equal(bench.ports.ports, 0);
  });
});
