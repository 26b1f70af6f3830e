import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { BinaryHeap } from '../../../base/binary-heap.ts';

describe('BinaryHeap', () => {
  it('gives out what is in it in order, however items come and go', () => {
    // A number is put in; undefined takes the first one out.
    const steps = fc.array(fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined, freq: 2 }));
    fc.assert(
      fc.property(steps, (all) => {
        const heap = new BinaryHeap<number>((a, b) => a < b);
        const model: number[] = [];
        for (const step of all) {
          if (step === undefined) {
            equal(heap.takeFirst(), model.shift());
          } else {
            heap.push(step);
            model.push(step);
            model.sort((a, b) => a - b);
          }
          deepEqual([heap.first, heap.size], [model[0], model.length]);
        }
        deepEqual(
          Array.from(model, () => heap.takeFirst()),
          model,
        );
      }),
    );
  });

  it('is empty after it was cleared', () => {
    const heap = new BinaryHeap<number>((a, b) => a < b);
    heap.push(2);
    heap.push(1);
    heap.clear();
    deepEqual([heap.first, heap.size, heap.takeFirst()], [undefined, 0, undefined]);
  });
});
