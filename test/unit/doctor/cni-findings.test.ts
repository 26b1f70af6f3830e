import { deepEqual, match } from 'node:assert/strict';
import { type CniFacts, cniFindings } from '../../../doctor/cni-findings.ts';

const OURS = { file: '10-weft.conflist', types: ['weft-net', 'portmap'] };

function look(configs: CniFacts['configs'], plugins = ['weft-net', 'portmap'], expected = true) {
  return cniFindings({
    expected,
    configFolder: '/etc/cni/net.d',
    pluginFolder: '/opt/cni/bin',
    configs,
    plugins,
  });
}

describe('the doctor of container runtimes', () => {
  it('is content where ours is the first configuration and complete', () => {
    deepEqual(
      look([OURS, { file: '20-other.conf', types: ['bridge'] }]).map(({ verdict }) => verdict),
      ['ok'],
    );
  });

  it('passes over files that no runtime takes', () => {
    deepEqual(
      look([{ file: '05-broken.json', types: undefined }, OURS]).map(({ verdict }) => verdict),
      ['ok'],
    );
  });

  it('finds a configuration of somebody else that sorts first', () => {
    const [finding] = look([{ file: '05-cilium.conflist', types: ['cilium-cni'] }, OURS]);
    match(finding!.seen, /^05-cilium.conflist sorts before 10-weft.conflist, .*'cilium-cni'$/);
    match(finding!.remedy!, /05-cilium.conflist/);
  });

  it('finds a plugin of the chain that is gone, ours among them', () => {
    const findings = look([OURS], []);
    match(findings[0]!.seen, /names weft-net, portmap, which \/opt\/cni\/bin does not have/);
  });

  it('says where no runtime is there, and where none would call us', () => {
    deepEqual(
      look(undefined).map(({ verdict }) => verdict),
      ['skipped'],
    );
    const others = [{ file: 'a.conf', types: ['bridge'] }];
    deepEqual(
      [...look(others), ...look(others, [], false)].map(({ verdict }) => verdict),
      ['fault', 'skipped'],
    );
  });
});
