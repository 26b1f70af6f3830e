import assert from 'node:assert/strict';
import {
  configObject,
  configVersion,
  MAX_VALID_ATTACHMENTS,
  type NetworkConfig,
  parseConfig,
} from '../../../cni/config.ts';
import { CniFault } from '../../../cni/fault.ts';
import { isContainerId, isInterfaceName, MAX_NETWORK_NAME_LENGTH } from '../../../cni/key.ts';
import { parseRequest } from '../../../cni/request.ts';
import { request } from './fakes.ts';

function config(extra: Record<string, unknown> = {}): string {
  return JSON.stringify({ cniVersion: '1.0.0', name: 'weft', type: 'weft-net', ...extra });
}

function parse(text: string): NetworkConfig {
  return parseConfig(configObject(text));
}

function failsWith(code: number, action: () => unknown): void {
  assert.throws(action, (error) => error instanceof CniFault && error.code === code && error.message !== '');
}

describe('parseConfig', () => {
  it('takes what it needs and passes over keys it does not know', () => {
    const parsed = parse(
      config({ ipMasq: true, runtimeConfig: { x: 1 }, dns: { domain: 'd' }, prevResult: 7 }),
    );
    assert.deepEqual(parsed, {
      cniVersion: '1.0.0',
      name: 'weft',
      dns: { domain: 'd' },
      prevResult: 7,
      validAttachments: undefined,
      addWaitSeconds: 0,
    });
  });

  it('says what is wrong by the specification’s codes', () => {
    for (const text of ['', '{', 'null', '[]', '7', '"x"']) failsWith(6, () => parse(text));
    for (const cniVersion of ['9.9.9', '0.2.0', undefined, 1, null, {}]) {
      failsWith(1, () => parse(config({ cniVersion })));
    }
    for (const name of [undefined, '', null, 7, '-x', 'a/b', 'x'.repeat(MAX_NETWORK_NAME_LENGTH + 1)]) {
      failsWith(7, () => parse(config({ name })));
    }
    failsWith(7, () => parse(config({ dns: 'x' })));
  });

  it('does not echo a hostile version at length', () => {
    assert.throws(
      () => parse(config({ cniVersion: '9'.repeat(100_000) })),
      (error) => error instanceof CniFault && error.message.length < 200,
    );
  });

  it('tells a missing GC list from an empty one', () => {
    assert.equal(parse(config()).validAttachments, undefined);
    for (const list of [[], null]) {
      assert.deepEqual(parse(config({ 'cni.dev/valid-attachments': list })).validAttachments, []);
    }
  });

  it('reads the GC list under its present and its earlier name', () => {
    const list = [{ containerID: 'a', ifname: 'eth0' }];
    for (const key of ['cni.dev/valid-attachments', 'cni.dev/attachments']) {
      assert.deepEqual(parse(config({ [key]: list })).validAttachments, [
        { containerId: 'a', ifname: 'eth0' },
      ]);
    }
  });

  it('refuses a whole GC list with an entry it cannot read, rather than free that pod', () => {
    const good = { containerID: 'a', ifname: 'eth0' };
    for (const bad of [
      null,
      7,
      {},
      { containerID: 'b' },
      { containerId: 'b', ifname: 'eth0' },
      { containerID: 1, ifname: 'x' },
    ]) {
      failsWith(7, () => parse(config({ 'cni.dev/valid-attachments': [good, bad] })));
    }
    failsWith(7, () => parse(config({ 'cni.dev/valid-attachments': 'all' })));
    const many = Array.from({ length: MAX_VALID_ATTACHMENTS + 1 }, () => good);
    failsWith(7, () => parse(config({ 'cni.dev/valid-attachments': many })));
  });

  it('finds the version of a broken config for the error document', () => {
    assert.equal(configVersion('{"cniVersion":"0.4.0"}'), '0.4.0');
    assert.equal(configVersion('{'), '1.1.0');
  });
});

describe('parseRequest', () => {
  it('reads an ADD', () => {
    const parsed = parseRequest(request('ADD', { containerId: 'abc', ifname: 'net1' }));
    assert.equal(parsed.command, 'ADD');
    assert.deepEqual(parsed.key, { containerId: 'abc', ifname: 'net1' });
    assert.equal(parsed.netns, '/run/netns/a');
  });

  it('has no key at GC and STATUS', () => {
    for (const command of ['GC', 'STATUS']) assert.equal(parseRequest(request(command)).key, undefined);
  });

  it('refuses what the shim would have refused', () => {
    for (const command of ['VERSION', 'add', '', 'X']) failsWith(4, () => parseRequest(request(command)));
    for (const containerId of ['', '../x', 'a b', 'a'.repeat(129)]) {
      failsWith(4, () => parseRequest(request('DEL', { containerId })));
    }
    for (const ifname of ['', 'a'.repeat(16), 'a/b', '..', 'ä'.repeat(8)]) {
      failsWith(4, () => parseRequest(request('ADD', { ifname })));
    }
    for (const value of [undefined, null, 7, [], {}, { env: {} }, { env: {}, config: 7 }]) {
      failsWith(4, () => parseRequest(value));
    }
  });
});

describe('names', () => {
  it('container ids begin with a letter or digit', () => {
    for (const id of ['a', '0', 'A_.-z', 'a'.repeat(128)]) assert.ok(isContainerId(id), id);
    for (const id of ['', '.', '-a', '_a', 'a/', 'a\n', 'ä']) assert.ok(!isContainerId(id), id);
  });

  it('interface names are what the kernel takes', () => {
    for (const name of ['eth0', 'a'.repeat(15), 'a.b', 'ä'.repeat(7)]) assert.ok(isInterfaceName(name), name);
    for (const name of ['', '.', '..', 'a'.repeat(16), 'ä'.repeat(8), 'a/b', 'a:b', 'a b', 'a\tb', 'a\0b']) {
      assert.ok(!isInterfaceName(name), name);
    }
  });
});
