import { deepEqual, equal, match } from 'node:assert/strict';
import { warningLine } from '../../../../base/warning.ts';
import { cniWarnings } from '../../../../daemon/kubernetes/cni-warnings.ts';

const SOUND = {
  ownName: '10-weft.conflist',
  configNames: ['10-weft.conflist', '87-podman-bridge.conflist'],
  binDir: '/opt/cni/bin',
  pluginNames: new Set(['weft-net', 'loopback', 'portmap']),
};

describe('cniWarnings', () => {
  it('has nothing to say where ours sorts first and all plugins are there', () => {
    deepEqual(cniWarnings(SOUND), []);
  });

  it('names the configuration that a runtime takes instead of ours', () => {
    const configNames = ['05-other.conf', '00-first.conflist', ...SOUND.configNames];
    const [first, ...more] = cniWarnings({ ...SOUND, configNames });
    equal(first!.code, 'E_CNI_CONFIG_ORDER');
    match(warningLine(first!), /takes '00-first\.conflist', which sorts before 10-weft\.conflist/);
    deepEqual(more, []);
  });

  it('leaves files alone that no runtime reads', () => {
    const configNames = [
      '00-notes.txt',
      '00-old.conflist.bak',
      '10-weft.conflist.weft-new',
      ...SOUND.configNames,
    ];
    deepEqual(cniWarnings({ ...SOUND, configNames }), []);
  });

  for (const [name, code, effect] of [
    ['loopback', 'E_NO_LOOPBACK_PLUGIN', /start no pod without it/],
    ['portmap', 'W_NO_PORTMAP_PLUGIN', /hostPorts of pods have no effect/],
  ] as const) {
    it(`says what is missing without ${name}`, () => {
      const pluginNames = new Set([...SOUND.pluginNames].filter((each) => each !== name));
      const found = cniWarnings({ ...SOUND, pluginNames });
      deepEqual(
        found.map((each) => each.code),
        [code],
      );
      match(found[0]!.message, effect);
      match(found[0]!.remedy, /install the CNI plugins/);
    });
  }
});
