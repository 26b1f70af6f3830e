import fc from 'fast-check';
import { cryptoFuzzTargets } from '../../fuzz/crypto-targets.ts';

describe('crypto decoders', () => {
  for (const target of cryptoFuzzTargets) {
    it(`${target.name}: random bytes get nowhere`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => target.run(bytes)),
        { numRuns: 1000 },
      );
    }).timeout(20_000);
  }
});
