import assert from 'node:assert/strict';
import { WeftError } from '../../../base/weft-error.ts';
import type { AeadEngine, PacketRun } from '../../../crypto/aead-engine.ts';
import { ChaChaEngine } from '../../../crypto/chacha-engine.ts';
import { type AeadMaker, chooseAeads } from '../../../crypto/choose-aeads.ts';
import { cryptoReady } from '../../../crypto/ready.ts';

const right = (key: Uint8Array): AeadEngine => new ChaChaEngine(key);

function maker(by: string, create = right, unfit?: string): AeadMaker {
  return { suite: 'chacha20-poly1305', by, unfit: () => unfit, create };
}

/** An engine that is right but for `change`. */
function broken(change: Partial<AeadEngine> | ((engine: AeadEngine) => Partial<AeadEngine>)) {
  return (key: Uint8Array): AeadEngine => {
    const engine = right(key);
    const changed = typeof change === 'function' ? change(engine) : change;
    return {
      sealRun: (nonce, run) => engine.sealRun(nonce, run),
      openRun: (nonce, run) => engine.openRun(nonce, run),
      close: () => engine.close(),
      ...changed,
    };
  };
}

const countOf = (run: PacketRun): number => Math.ceil(run.length / run.segment);

describe('the choice of AEADs', () => {
  before(() => cryptoReady);

  it('takes the first that can be had, and asks no further', () => {
    const aeads = chooseAeads([maker('a', right, 'it is not there'), maker('b'), maker('c')]);
    assert.deepEqual(aeads.suites, ['chacha20-poly1305']);
    assert.deepEqual(
      aeads.tried.map(({ maker: { by }, fault, wrong }) => [by, fault, wrong]),
      [
        ['a', 'it is not there', false],
        ['b', undefined, false],
      ],
    );
    const aead = aeads.create('chacha20-poly1305', new Uint8Array(32));
    assert.equal(aead.suite, 'chacha20-poly1305');
    assert.throws(() => aeads.create('aes-256-gcm', new Uint8Array(32)));
  });

  const faults: readonly [string, ReturnType<typeof broken>, RegExp][] = [
    ['that seals otherwise', broken((e) => ({ sealRun: (n, run) => e.sealRun(n.fill(1), run) })), /RFC 8439/],
    [
      'that leaves all in clear',
      broken({ sealRun: () => {}, openRun: (_nonce, run) => countOf(run) }),
      /RFC 8439/,
    ],
    [
      'that opens all',
      broken((e) => ({ openRun: (n, run) => Math.max(e.openRun(n, run), countOf(run)) })),
      /changed/,
    ],
    ['that opens nothing', broken({ openRun: () => 0 }), /does not open what it sealed/],
    [
      'that repeats a nonce within a run',
      broken((e) => ({
        sealRun: (nonce, run) => {
          for (let at = run.at; at < run.at + run.length; at += run.segment) {
            const length = Math.min(run.segment, run.at + run.length - at);
            e.sealRun(nonce.slice(), { ...run, at, length, segment: length });
          }
        },
      })),
      /run as it seals single/,
    ],
    [
      'that does not say where a run ends',
      broken((e) => ({ openRun: (n, run) => (e.openRun(n, run) === countOf(run) ? countOf(run) : 0) })),
      /which packets/,
    ],
    [
      'that throws',
      () => {
        throw new Error('no memory');
      },
      /no memory/,
    ],
  ];
  for (const [name, create, expected] of faults) {
    it(`passes over one ${name}, and says so`, () => {
      const aeads = chooseAeads([maker('bad', create), maker('good')]);
      assert.equal(aeads.tried.length, 2);
      assert.match(aeads.tried[0]!.fault!, expected);
      assert.equal(aeads.tried[0]!.wrong, true);
    });
  }

  it('fails where nothing works, and names all of it', () => {
    assert.throws(
      () => chooseAeads([maker('a', right, 'it is not there'), maker('b', broken({ openRun: () => 0 }))]),
      (error) =>
        error instanceof WeftError && error.code === 'E_CIPHER' && /not there.*by b/.test(error.line),
    );
  });
});
