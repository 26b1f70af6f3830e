import { deepEqual, equal, match } from 'node:assert/strict';
import type { WeftError } from '../../../../base/weft-error.ts';
import { translateWeaveEnvironment } from '../../../../daemon/settings/weave-environment.ts';

function translate(
  env: Record<string, string>,
  underKubernetes = true,
): { out: Record<string, unknown>; faults: string[] } {
  const faults: WeftError[] = [];
  const out = translateWeaveEnvironment(env, { underKubernetes }, faults);
  return { out, faults: faults.map((fault) => fault.line) };
}

describe('translateWeaveEnvironment', () => {
  it('puts what still means something into words of Weft', () => {
    const { out, faults } = translate({
      IPALLOC_RANGE: '10.40.0.0/16',
      WEAVE_MTU: '1300',
      WEAVE_NO_FASTDP: '1',
      KUBE_PEERS: ' a  b:7 ',
      NO_MASQ_LOCAL: '1',
    });
    deepEqual(faults, []);
    deepEqual(out, {
      WEFT_IPALLOC_RANGE: '10.40.0.0/16',
      WEFT_MTU: '1300',
      WEFT_DATAPATH: 'sleeve',
      WEFT_PEER: 'a,b:7',
    });
  });

  it("lets Weft's own variable win", () => {
    deepEqual(translate({ WEAVE_MTU: '1300', WEFT_MTU: '1400' }).out, { WEFT_MTU: '1400' });
    deepEqual(translate({ WEFT_MTU: '1400', WEAVE_MTU: '1300' }).out, { WEFT_MTU: '1400' });
  });

  it('takes an address for metrics as Weave Net did, with none before the port for all of the host', () => {
    const listen = (text: string): unknown => translate({ WEAVE_METRICS_ADDR: text }).out.WEFT_METRICS_LISTEN;
    deepEqual([listen('192.0.2.1:6782'), listen(':6782')], ['192.0.2.1:6782', '0.0.0.0:6782']);
  });

  it('leaves the rest of the environment alone', () => {
    deepEqual(translate({ PATH: '/bin', WEFT_NAME: 'a' }).out, { PATH: '/bin', WEFT_NAME: 'a' });
  });

  it('knows on a plain host the names that only Weave Net has, and leaves the others to other programs', () => {
    const { out, faults } = translate(
      {
        IPALLOC_RANGE: '10.40.0.0/16',
        WEAVE_MTU: '1300',
        EXTRA_ARGS: '-x',
        KUBE_PEERS: 'a',
        WEAVE_PASSWORD: 'x',
      },
      false,
    );
    deepEqual(out, {
      WEFT_IPALLOC_RANGE: '10.40.0.0/16',
      WEFT_MTU: '1300',
      EXTRA_ARGS: '-x',
      KUBE_PEERS: 'a',
    });
    equal(faults.length, 1);
    match(
      faults[0]!,
      /WEAVE_PASSWORD has no meaning for Weft; traffic is always encrypted, by the cluster secret/,
    );
  });

  for (const name of [
    'WEAVE_PASSWORD',
    'CONN_LIMIT',
    'HAIRPIN_MODE',
    'IPALLOC_INIT',
    'IPTABLES_BACKEND',
    'EXTRA_ARGS',
    'WEAVE_SOMETHING_ELSE',
  ]) {
    it(`refuses ${name} by name, and says what to do`, () => {
      const { out, faults } = translate({ [name]: 'x' });
      equal(faults.length, 1);
      match(faults[0]!, new RegExp(`environment variable ${name} has no meaning for Weft; `));
      deepEqual(out, {});
      deepEqual(translate({ [name]: '' }).faults, [], 'an empty one counts as not given');
    });
  }
});
