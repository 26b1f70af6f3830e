import { strict as assert } from 'node:assert';
import { type Instant, instant } from '../../../../base/instant.ts';
import type { TunnelStats } from '../../../../router/datapath/datapath.ts';
import { IDLE_PING_MS, Liveness, PINGS_LOST } from '../../../../router/tunnel/liveness.ts';
import { seededRandom } from '../../../seeded-random.ts';

/** A tunnel's counters, and a peer that may answer. */
class Wire {
  readonly liveness = new Liveness({ random: seededRandom(1) });
  now = 0;
  pings = 0;
  died: number | undefined;
  peerAnswers = true;
  stats = {
    sentPackets: 0,
    sentBytes: 0,
    receivedPackets: 0,
    receivedBytes: 0,
    droppedPackets: 0,
    sentIpBytes: 0,
    receivedIpBytes: 0,
    lastReceivedAt: undefined as Instant | undefined,
    lastSentAt: undefined as Instant | undefined,
  } satisfies TunnelStats;

  send(): void {
    this.stats.sentPackets++;
    this.stats.lastSentAt = instant(this.now);
  }

  receive(): void {
    this.stats.receivedPackets++;
    this.stats.lastReceivedAt = instant(this.now);
  }

  run(ms: number, each: () => void = () => undefined): void {
    for (const end = this.now + ms; this.now < end; this.now += 50) {
      each();
      const verdict = this.liveness.tick(this.stats, instant(this.now));
      if (verdict === 'dead') this.died ??= this.now;
      if (verdict !== 'ping') continue;
      this.pings++;
      const token = this.liveness.ping(instant(this.now));
      this.send();
      if (!this.peerAnswers) continue;
      this.receive();
      assert.ok(this.liveness.pong(token, instant(this.now + 7)));
    }
  }
}

function started(): Wire {
  const wire = new Wire();
  wire.receive();
  wire.liveness.start(wire.stats, instant(0));
  return wire;
}

describe('liveness', () => {
  it('tells which share of the pings of the last ten minutes was lost, once there were some', () => {
    const wire = started();
    assert.equal(wire.liveness.loss, undefined);
    wire.run(300_000);
    assert.equal(wire.liveness.loss, 0);
    // Each time one ping is lost and the next one answered.
    for (let i = 0; i < 6; i++) {
      wire.peerAnswers = false;
      const { pings } = wire;
      while (wire.pings === pings) wire.run(50);
      wire.peerAnswers = true;
      wire.run(20_000);
    }
    const { loss } = wire.liveness;
    assert.ok(loss !== undefined && loss > 0.2 && loss <= 0.5, `${loss}`);
    wire.run(601_000);
    assert.equal(wire.liveness.loss, 0);
  });

  it('counts all pings of a path that dies as lost', () => {
    const wire = started();
    wire.run(60_000);
    wire.peerAnswers = false;
    wire.run(60_000, () => wire.send());
    assert.ok(wire.died !== undefined);
    const { loss } = wire.liveness;
    assert.ok(loss !== undefined && loss > 0.5, `${loss}`);
  });

  it('pings an idle peer twice a minute and no more', () => {
    const wire = started();
    wire.run(600_000);
    assert.ok(wire.pings >= 14 && wire.pings <= 600_000 / IDLE_PING_MS, `${wire.pings}`);
    assert.ok(Math.abs(wire.liveness.rttMs! - 7) < 1e-9);
  });

  it('pings not at all while packets go both ways', () => {
    const wire = started();
    wire.run(60_000, () => {
      wire.send();
      wire.receive();
    });
    assert.equal(wire.pings, 0);
  });

  it('keeps the peer informed when it alone sends', () => {
    const wire = started();
    wire.run(60_000, () => wire.receive());
    assert.ok(wire.pings >= 4 && wire.pings <= 6, `${wire.pings}`);
  });

  it('finds a dead path 10 to 16 s after it died under traffic', () => {
    for (let died = 5000; died < 15_000; died += 700) {
      const wire = started();
      wire.run(died, () => {
        wire.send();
        wire.receive();
      });
      wire.peerAnswers = false;
      wire.run(40_000, () => wire.send());
      const took = wire.died! - died;
      assert.ok(took >= 7000 && took <= 16_000, `${took} ms`);
    }
  });

  it('finds a path that is dead in our direction alone, though packets come in', () => {
    const wire = started();
    wire.peerAnswers = false;
    wire.run(60_000, () => wire.receive());
    assert.ok(wire.died !== undefined);
  });

  it('judges within about a second when hurried, and forgives when the peer answers', () => {
    const wire = started();
    wire.run(2000);
    wire.liveness.hurry(instant(wire.now));
    const start = wire.now;
    wire.peerAnswers = false;
    wire.run(5000);
    assert.ok(wire.died! - start <= 2000, `${wire.died! - start} ms`);
    const other = started();
    other.liveness.hurry(instant(0));
    other.run(20_000);
    assert.equal(other.died, undefined);
    assert.ok(other.pings <= 3);
  });

  it('believes only pongs to its own latest pings', () => {
    const wire = started();
    const tokens = Array.from({ length: PINGS_LOST + 1 }, (_, i) => wire.liveness.ping(instant(i)));
    assert.equal(wire.liveness.pong(new Uint8Array(8), instant(10)), false);
    assert.equal(wire.liveness.pong(tokens[0]!, instant(10)), false, 'forgotten');
    assert.equal(wire.liveness.pong(tokens[3]!, instant(10)), true);
    assert.equal(wire.liveness.pong(tokens[3]!, instant(10)), false);
  });
});
