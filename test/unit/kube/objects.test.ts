import { deepEqual, equal, throws } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { parsePeerId } from '../../../base/peer-id.ts';
import { Backoff } from '../../../kube/backoff.ts';
import { LineSplitter, MAX_LINE_BYTES } from '../../../kube/line-splitter.ts';
import { readConfigMap, readList, readNode } from '../../../kube/objects.ts';
import { removalName, removalObject, removalOf } from '../../../kube/removal-object.ts';
import { clusterIdOf, genesisObject, genesisOf } from '../../../kube/ring-object.ts';
import { secretObject, secretOf } from '../../../kube/secret-object.ts';
import { readWatchEvent } from '../../../kube/watch-event.ts';
import { seededRandom } from '../../seeded-random.ts';

const metadata = { namespace: 'weft', name: 'a', uid: '1-2', resourceVersion: '7' };

describe('readNode', () => {
  it('gives the internal addresses, and takes nothing else for one', () => {
    const addresses = [
      { type: 'InternalIP', address: '192.0.2.1' },
      { type: 'ExternalIP', address: '198.51.100.1' },
      { type: 'InternalIP', address: '2001:db8::1' },
      { type: 'InternalIP', address: 7 },
      'InternalIP',
      null,
    ];
    deepEqual(readNode({ metadata, status: { addresses } })?.internalIps, ['192.0.2.1', '2001:db8::1']);
  });

  it('bounds how many addresses a node may have', () => {
    const addresses = Array.from({ length: 100 }, (_, i) => ({
      type: 'InternalIP',
      address: `192.0.2.${i}`,
    }));
    equal(readNode({ metadata, status: { addresses } })?.internalIps.length, 8);
  });

  for (const [why, value] of [
    ['no object', 7],
    ['no metadata', { status: {} }],
    ['a name with a path', { metadata: { ...metadata, name: '../../etc' } }],
    ['a name with a line end', { metadata: { ...metadata, name: 'a\nb' } }],
    ['a name that is too long', { metadata: { ...metadata, name: 'a'.repeat(254) } }],
    ['a namespace that is no name', { metadata: { ...metadata, namespace: 'a/b' } }],
    ['a uid that is no uid', { metadata: { ...metadata, uid: 'a b' } }],
  ] as const) {
    it(`refuses ${why}`, () => equal(readNode(value), undefined));
  }
});

describe('readNode, of what the node says of itself', () => {
  it('gives the ranges that were set aside for its pods, and whether it is Ready', () => {
    const ready = { type: 'Ready', status: 'True' };
    const value = {
      metadata,
      spec: { podCIDRs: ['10.244.1.0/24', 7, 'fd00:1::/64', '10.0.0.0/8'] },
      status: { conditions: [null, { type: 'DiskPressure', status: 'True' }, ready] },
    };
    deepEqual(readNode(value)?.podCidrs, ['10.244.1.0/24'], 'of the two that are looked at');
    equal(readNode(value)?.isReady, true);
    equal(readNode({ metadata, status: { conditions: [{ ...ready, status: 'False' }] } })?.isReady, false);
    deepEqual([readNode({ metadata })?.isReady, readNode({ metadata })?.podCidrs], [false, []]);
  });
});

describe('readConfigMap', () => {
  it('takes text alone for data', () => {
    deepEqual(readConfigMap({ metadata, data: { a: 'x', b: 1, c: null } })?.data, { a: 'x' });
    deepEqual(readConfigMap({ metadata })?.data, {});
  });
});

describe('readList', () => {
  it('refuses what is no list', () => {
    equal(readList({ items: [] }), undefined);
    deepEqual(readList({ metadata: { resourceVersion: '1' } }), { items: [], resourceVersion: '1' });
  });
});

describe('readWatchEvent', () => {
  it('refuses what is no event', () => {
    for (const line of ['', '{', '[]', '{"type":"ADDED"}', '{"type":"X","object":{}}'])
      equal(readWatchEvent(line).ok, false, line);
  });
});

describe('genesisObject', () => {
  it('carries any bytes there and back, and cannot be edited', () => {
    const genesis = new Uint8Array(randomBytes(500));
    const made = genesisObject('weft', genesis, {
      clusterId: 'ab'.repeat(16),
      founder: 'n1',
      ranges: ['10.32.0.0/12'],
    });
    equal(made.immutable, true);
    const { data } = made as { readonly data: Record<string, string> };
    deepEqual(genesisOf({ ...metadata, data }), genesis);
    equal(clusterIdOf({ ...metadata, data }), 'ab'.repeat(16));
    for (const cluster of ['', 'AB'.repeat(16), 'ab'.repeat(17), '<script>'])
      equal(clusterIdOf({ ...metadata, data: { ...data, cluster } }), undefined);
    equal(genesisOf({ ...metadata, data: { genesis: 'nonsense!' } }), undefined);
    equal(genesisOf({ ...metadata, data: {} }), undefined);
  });
});

describe('LineSplitter', () => {
  it('refuses a line without end', () => {
    const splitter = new LineSplitter();
    const part = new Uint8Array(MAX_LINE_BYTES).fill(65);
    deepEqual(splitter.push(part), []);
    let thrown = false;
    try {
      splitter.push(part);
    } catch (error) {
      thrown = error instanceof RangeError;
    }
    equal(thrown, true);
  });
});

describe('Backoff', () => {
  it('doubles up to its limit, spread over half of the wait, and begins anew after a success', () => {
    const backoff = new Backoff(seededRandom(3), { firstMs: 100, mostMs: 1_000 });
    const limits = [100, 200, 400, 800, 1_000, 1_000];
    for (const most of limits) {
      const wait = backoff.next();
      equal(wait >= most / 2 && wait <= most, true, `${wait} of ${most}`);
    }
    equal(backoff.next(5_000), 5_000);
    backoff.reset();
    equal(backoff.next() <= 100, true);
  });
});

describe('removalOf', () => {
  const [subject, heir] = [parsePeerId('a'.repeat(64))!, parsePeerId('b'.repeat(64))!];
  const removal = { subject, heir, phase: 'removed', cut: 77 } as const;
  const data = { peer: subject, heir, phase: 'removed', cut: '77', node: 'n1' };
  const object = { ...metadata, name: removalName(subject), data };

  it('reads what was written, and what is decided cannot be edited', () => {
    const made = removalObject('weft', removal, 'n1', '9');
    deepEqual(made.data, data);
    equal(made.immutable, true);
    equal((made.metadata as { readonly resourceVersion: string }).resourceVersion, '9');
    equal(removalObject('weft', { ...removal, phase: 'fenced' }, 'n1').immutable, undefined);
    deepEqual(removalOf(object), removal);
  });

  it('carries the log that it judges', () => {
    const log = Uint8Array.from({ length: 77 }, (_, i) => i);
    const made = removalObject('weft', { ...removal, log }, 'n1').data as Record<string, string>;
    deepEqual(removalOf({ ...object, data: made }), { ...removal, log });
  });

  for (const [why, wrong] of [
    ['another object', { ...object, name: 'weft-genesis' }],
    ["another peer's name", { ...object, name: removalName(heir) }],
    ['a phase that is none', { ...object, data: { ...data, phase: 'maybe' } }],
    ['a cut that is none', { ...object, data: { ...data, cut: '-1' } }],
    ['an heir that is none', { ...object, data: { ...data, heir: 'me' } }],
    ['a log of another length', { ...object, data: { ...data, log: 'AAAA' } }],
    ['a log that is none', { ...object, data: { ...data, log: '?' } }],
    ['no data', { ...object, data: {} }],
  ] as const) {
    it(`takes nothing from ${why}`, () => equal(removalOf(wrong), undefined));
  }
});

describe('secretOf', () => {
  it('gives back the text that an object was made with', () => {
    const made = secretObject('weft', 'c2VjcmV0');
    equal(made.immutable, true);
    equal(secretOf(made), 'c2VjcmV0');
  });

  it('refuses an object without it, in words that hold nothing of it', () => {
    for (const value of [
      {},
      { data: { secret: '' } },
      { data: { secret: '!' } },
      { data: { other: 'eA==' } },
    ])
      throws(() => secretOf(value), {
        code: 'E_SECRET_OBJECT',
        message: "Secret weft-secret has no entry 'secret'",
      });
  });
});
