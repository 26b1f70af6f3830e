import assert from 'node:assert/strict';
import fc from 'fast-check';
import { REPLAY_WINDOW_SIZE, ReplayWindow } from '../../../crypto/replay-window.ts';

/** What the window is to be, without its tricks. */
class NaiveWindow {
  readonly #seen = new Set<number>();
  #newest = -1;

  accept(counter: number): boolean {
    if (counter > Number.MAX_SAFE_INTEGER || this.#seen.has(counter)) return false;
    if (this.#newest - counter >= REPLAY_WINDOW_SIZE) return false;
    this.#seen.add(counter);
    this.#newest = Math.max(this.#newest, counter);
    return true;
  }
}

describe('replay window', () => {
  it('reaches back at least 32,000 packets', () => {
    assert.ok(REPLAY_WINDOW_SIZE >= 32_000);
    const window = new ReplayWindow();
    assert.ok(window.accept(100_000));
    assert.ok(window.accept(100_000 - REPLAY_WINDOW_SIZE + 1));
    assert.ok(!window.check(100_000 - REPLAY_WINDOW_SIZE));
  });

  it('takes each counter once, in any order, at every alignment of the newest', () => {
    for (let newest = 40_000; newest < 40_064; newest++) {
      const window = new ReplayWindow();
      for (let counter = newest - 10; counter <= newest; counter++) assert.ok(window.accept(counter));
      const oldest = newest - REPLAY_WINDOW_SIZE + 1;
      assert.ok(window.accept(oldest));
      assert.ok(!window.accept(oldest - 1));
      for (let counter = newest - 10; counter <= newest; counter++) assert.ok(!window.accept(counter));
      assert.ok(!window.accept(oldest));
    }
  });

  it('refuses every replay in its reach after a run without loss, wherever the run ends', () => {
    for (let length = 33_000; length < 33_033; length++) {
      const window = new ReplayWindow();
      for (let counter = 0; counter < length; counter++) assert.ok(window.accept(counter));
      for (let counter = 0; counter < length; counter++) assert.ok(!window.check(counter), `${counter}`);
    }
  });

  it('loses nothing that comes in late, round after round', () => {
    const window = new ReplayWindow();
    for (let start = 0; start < 40_000; start += 100) {
      for (let late = 99; late >= 0; late--) assert.ok(window.accept(start + late), `${start + late}`);
    }
  });

  it('is the same after it was saved and put back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(50_000), { maxLength: 200 }),
        fc.array(fc.nat(80_000), { maxLength: 200 }),
        (before, after) => {
          const one = new ReplayWindow();
          for (const counter of before) one.accept(counter);
          const other = new ReplayWindow(one.save());
          assert.equal(other.newest, one.newest);
          for (const counter of before) assert.ok(!other.check(counter));
          const saved = (Math.floor(one.newest / 32) - 255) * 32;
          for (const counter of after) {
            const taken = other.accept(counter);
            if (counter >= saved) assert.equal(taken, one.accept(counter));
            else assert.equal(taken, false, 'what was not saved counts as seen');
          }
          assert.deepEqual(other.save(), one.save());
        },
      ),
    );
  });

  it('changes nothing on check, nor on a refusal', () => {
    const window = new ReplayWindow();
    assert.ok(window.check(50));
    assert.ok(window.check(50));
    assert.equal(window.newest, -1);
    window.accept(50);
    assert.ok(!window.accept(50));
    assert.ok(window.accept(49));
    assert.equal(window.newest, 50);
  });

  it('refuses what is no exact counter', () => {
    const window = new ReplayWindow();
    for (const counter of [2 ** 53, 2 ** 63, Number.NaN, Number.POSITIVE_INFINITY, -1, 1.5]) {
      assert.ok(!window.accept(counter));
    }
    assert.ok(window.accept(2 ** 53 - 1));
    assert.ok(window.accept(2 ** 53 - 2));
    assert.ok(!window.accept(2 ** 53 - 1));
    assert.ok(!window.accept(0));
  });

  it('agrees with a plain set over any run of steps, jumps and repeats', () => {
    const edges = [-1, 0, 1, 31, 32, 33].map((by) => REPLAY_WINDOW_SIZE + by);
    const step = fc.oneof(
      fc.integer({ min: -70, max: 70 }),
      fc.integer({ min: -9000, max: 9000 }),
      fc.integer({ min: -34_000, max: 34_000 }),
      fc.constantFrom(...edges, ...edges.map((edge) => -edge), 2 ** 32, 2 ** 32 - 1, 2 ** 40),
    );
    const start = fc.constantFrom(0, 1, 2 ** 31 - 5, 2 ** 32 - 40, 2 ** 45, 2 ** 53 - 20_000);
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 300 }), (first, steps) => {
        const window = new ReplayWindow();
        const naive = new NaiveWindow();
        let at = first;
        for (const by of steps) {
          at = Math.max(0, at + by);
          const expected = naive.accept(at);
          assert.equal(window.check(at), expected, `${at}`);
          assert.equal(window.accept(at), expected, `${at}`);
        }
      }),
      { numRuns: 500 },
    );
  });
});
