import { deepEqual, equal, throws } from 'node:assert/strict';
import { WeftError } from '../../../../base/weft-error.ts';
import { chooseDatapath, DATAPATH_NAMES } from '../../../../router/datapath/choose-datapath.ts';
import type { DatapathKind } from '../../../../router/datapath/datapath.ts';
import { DATAPATHS } from '../../../../router/datapath/datapaths.io.ts';

/** A kind that is never opened here. */
function kind(name: string, unfit?: string): DatapathKind {
  return { name, unfit: () => unfit, open: () => Promise.reject(new Error('not opened')) };
}

describe('the choice of a datapath', () => {
  it('takes the first that can run here', () => {
    equal(chooseDatapath('auto', [kind('fast'), kind('slow')]).name, 'fast');
    equal(chooseDatapath('auto', [kind('fast', 'the kernel is too old'), kind('slow')]).name, 'slow');
  });

  it('takes the one that was asked for, though another is faster', () => {
    equal(chooseDatapath('slow', [kind('fast'), kind('slow')]).name, 'slow');
  });

  it('refuses the one that was asked for where it cannot run, and says why', () => {
    throws(
      () => chooseDatapath('fast', [kind('fast', 'the kernel is too old'), kind('slow')]),
      (error) =>
        error instanceof WeftError &&
        error.code === 'E_DATAPATH' &&
        error.line ===
          "the datapath 'fast' cannot run here, because the kernel is too old; mend that, or give another --datapath of: auto, fast, slow",
    );
  });

  it('refuses an unknown name', () => {
    throws(() => chooseDatapath('sloth', [kind('fast')]), /there is no datapath 'sloth'/);
  });

  it('has the same names as the settings offer', () => {
    deepEqual(
      DATAPATHS.map(({ name }) => name),
      [...DATAPATH_NAMES],
    );
  });
});
