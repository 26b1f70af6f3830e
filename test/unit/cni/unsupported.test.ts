import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsonObject } from '../../../cni/config.ts';
import { CniFault } from '../../../cni/fault.ts';
import { parseRequest } from '../../../cni/request.ts';
import { refuseUnsupported } from '../../../cni/unsupported.ts';
import { request } from './fakes.ts';

const CONFIG = {
  cniVersion: '1.1.0',
  name: 'weft',
  type: 'weft-net',
  runDir: '/run/weft',
  addWaitSeconds: 30,
};

function refused(code: number, message: RegExp, config: JsonObject, args?: unknown): void {
  assert.throws(
    () => refuseUnsupported({ ...CONFIG, ...config }, args),
    (error) =>
      error instanceof CniFault && error.code === code && message.test(error.message) && error.details !== '',
    JSON.stringify({ config, args }),
  );
}

function taken(config: JsonObject, args?: unknown): void {
  refuseUnsupported({ ...CONFIG, ...config }, args);
}

describe('refuseUnsupported', () => {
  it('names a key that means nothing, and its value', () => {
    refused(2, /no key rundir .*"\/run\/x"/, { rundir: '/run/x' });
    refused(2, /no key mtu .*1400/, { mtu: 1400 });
    refused(2, /no key runtimeConfig\.sysctl /, { runtimeConfig: { sysctl: { a: '1' } } });
  });

  it('takes the keys of the specification, and those for other plugins of the chain', () => {
    taken({
      capabilities: { portMappings: true },
      runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80 }], bandwidth: { ingressRate: 1 } },
      args: { cni: { labels: [] } },
      prevResult: {},
      dns: { nameservers: ['10.0.0.10'] },
      ipMasq: true,
      ipam: {},
      disableCheck: true,
      'cni.dev/valid-attachments': [],
    });
  });

  it('refuses a fixed address by code 7, wherever it is asked for', () => {
    refused(
      7,
      /CNI_ARGS asks for a fixed IP address \(IP=10\.32\.0\.9\)/,
      {},
      'IgnoreUnknown=1;IP=10.32.0.9;K8S_POD_NAME=a',
    );
    refused(7, /CNI_ARGS asks for a fixed MAC address/, {}, 'MAC=02:00:00:00:00:01');
    refused(7, /CNI_ARGS asks for a given gateway/, {}, ' GATEWAY = 10.32.0.1 ');
    refused(7, /runtimeConfig\.ips .*10\.32\.0\.9/, { runtimeConfig: { ips: ['10.32.0.9/32'] } });
    refused(7, /runtimeConfig\.mac /, { runtimeConfig: { mac: '02:00:00:00:00:01' } });
    refused(7, /runtimeConfig\.ipRanges /, { runtimeConfig: { ipRanges: [[{ subnet: '10.32.0.0/24' }]] } });
    refused(7, /args\.cni\.ips /, { args: { cni: { ips: ['10.32.0.9'] } } });
    refused(7, /ipam .*host-local/, { ipam: { type: 'host-local', subnet: '10.32.0.0/24' } });
  });

  it('takes what asks for nothing: empty lists and texts, and names of CNI_ARGS that are not known', () => {
    taken({ runtimeConfig: { ips: [], mac: '', ipRanges: [[]], other: null }, args: { cni: { ips: null } } });
    for (const args of [
      undefined,
      '',
      ';',
      'IgnoreUnknown=1;K8S_POD_NAMESPACE=default',
      'IP=',
      'ip=10.0.0.1',
      7,
    ])
      taken({}, args);
  });

  it('repeats no more than a line of what it refuses', () => {
    assert.throws(
      () => refuseUnsupported({ ...CONFIG, ['x\n'.repeat(50_000)]: 'y\u0000'.repeat(50_000) }, undefined),
      (error) => error instanceof CniFault && error.message.length < 300 && !/[\n\0]/.test(error.message),
    );
  });

  it('throws nothing but a CniFault, whatever the config holds', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (config, args) => {
        try {
          refuseUnsupported({ ...config, runtimeConfig: args, args: { cni: args } }, args);
        } catch (error) {
          assert.ok(error instanceof CniFault);
        }
      }),
    );
  });
});

describe('parseRequest', () => {
  const wrong = { config: { rundir: '/run/x' } };

  it('refuses an ADD and a STATUS whose config asks for what Weft cannot do', () => {
    for (const command of ['ADD', 'STATUS']) {
      assert.throws(
        () => parseRequest(request(command, wrong)),
        (error) => error instanceof CniFault && error.code === 2,
      );
    }
  });

  it('lets pods be checked, deleted and collected all the same: they may have been attached before', () => {
    for (const command of ['CHECK', 'DEL', 'GC'])
      assert.equal(parseRequest(request(command, wrong)).command, command);
  });
});
