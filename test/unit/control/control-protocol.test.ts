import { deepEqual, equal, ok } from 'node:assert/strict';
import fc from 'fast-check';
import { utf8 } from '../../../base/bytes.ts';
import { WeftError } from '../../../base/weft-error.ts';
import {
  type ControlRequest,
  decodeAnswer,
  decodeRequest,
  encodeMessage,
  frame,
  framedLength,
  MAX_CNI_VARIABLE_LENGTH,
  MAX_CNI_VARIABLES,
  MAX_PEER_LENGTH,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_PEERS,
} from '../../../control/control-protocol.ts';
import { errorAnswer } from '../../../control/error-answer.ts';
import { MAX_POLICY_LINKS } from '../../../control/policy-request.ts';

const decode = (value: unknown) => decodeRequest(utf8(JSON.stringify(value)));
const faultOf = (value: unknown): string => {
  const result = decode(value);
  return result.ok ? 'none' : result.reason;
};

const PROBE = { op: 'probe', source: '10.32.0.2', target: '10.40.0.2', protocol: 'TCP', port: 80, bytes: 0 };

describe('decodeRequest', () => {
  const requests: readonly ControlRequest[] = [
    { op: 'status' },
    { op: 'peers' },
    { op: 'peers', all: true },
    { op: 'ipam' },
    { op: 'report' },
    { op: 'connect', peers: ['a', '[2001:db8::1]:7000'] },
    { op: 'forget', peers: ['a'] },
    { op: 'rmpeer', peer: 'ab12' },
    { op: 'process' },
    { op: 'yield', cluster: '0123456789abcdef'.repeat(2) },
    { op: 'cni', env: { CNI_COMMAND: 'ADD', CNI_ARGS: '' }, config: '{}' },
    { op: 'probe', source: '10.32.0.2', target: '10.40.0.2', protocol: 'UDP', port: 53, bytes: 0 },
    { op: 'policyWait', revision: '', complete: false },
    { op: 'policyWait', revision: 'r', complete: true, differences: true },
    {
      op: 'policyDecided',
      links: ['wv0123456789a'],
      unknown: [],
      pods: [{ link: 'wv0123456789b', namespace: 'ns', name: 'p', uid: 'u' }],
    },
  ];
  for (const request of requests) {
    it(`reads back ${request.op}`, () =>
      deepEqual(decodeRequest(encodeMessage(request)), { ok: true, value: request }));
  }

  const refused: readonly [string, unknown, string][] = [
    ['a list', [], 'request-not-json'],
    ['null', null, 'request-not-json'],
    ['no operation', {}, 'request-unknown-op'],
    ['an unknown operation', { op: 'exec' }, 'request-unknown-op'],
    ['an inherited operation', { op: 'constructor' }, 'request-unknown-op'],
    ['an operation that is no text', { op: ['status'] }, 'request-unknown-op'],
    ['an unknown key', { op: 'status', verbose: true }, 'request-unknown-key'],
    ['all that is no yes or no', { op: 'status', all: 1 }, 'request-bad-all'],
    ['a key of another operation', { op: 'connect', peers: ['a'], peer: 'b' }, 'request-unknown-key'],
    ['no peers', { op: 'connect' }, 'request-bad-peers'],
    ['an empty list of peers', { op: 'connect', peers: [] }, 'request-bad-peers'],
    ['peers that are no list', { op: 'forget', peers: 'a' }, 'request-bad-peers'],
    ['a peer that is no text', { op: 'forget', peers: [1] }, 'request-bad-peers'],
    ['too many peers', { op: 'connect', peers: Array(MAX_REQUEST_PEERS + 1).fill('a') }, 'request-bad-peers'],
    ['a peer too long', { op: 'connect', peers: ['a'.repeat(MAX_PEER_LENGTH + 1)] }, 'request-bad-peers'],
    ['an empty peer', { op: 'rmpeer', peer: '' }, 'request-bad-peers'],
    ['no peer', { op: 'rmpeer' }, 'request-bad-peers'],
    ['no cluster', { op: 'yield' }, 'request-bad-cluster'],
    ['a cluster that is no id', { op: 'yield', cluster: 'A'.repeat(32) }, 'request-bad-cluster'],
    ['no ends', { op: 'probe', protocol: 'TCP', port: 80, bytes: 0 }, 'request-bad-probe'],
    ['a probe without a port', { ...PROBE, port: 0 }, 'request-bad-probe'],
    ['an echo with a port', { ...PROBE, protocol: 'ICMP' }, 'request-bad-probe'],
    ['another protocol', { ...PROBE, protocol: 'SCTP' }, 'request-bad-probe'],
    ['a huge probe', { ...PROBE, bytes: 9001 }, 'request-bad-probe'],
    ['more of a probe', { ...PROBE, spoof: true }, 'request-bad-probe'],
    ['no revision', { op: 'policyWait', complete: true }, 'request-bad-policy'],
    [
      'a revision too long',
      { op: 'policyWait', revision: 'a'.repeat(65), complete: true },
      'request-bad-policy',
    ],
    [
      'differences that are no truth',
      { op: 'policyWait', revision: '', complete: true, differences: 1 },
      'request-bad-policy',
    ],
    ['not whether it is complete', { op: 'policyWait', revision: '' }, 'request-bad-policy'],
    ['no links', { op: 'policyDecided', unknown: [], pods: [] }, 'request-bad-policy'],
    ['nothing decided', { op: 'policyDecided', links: [], unknown: [], pods: [] }, 'request-bad-policy'],
    [
      'a link that is none',
      { op: 'policyDecided', links: ['a'.repeat(16)], unknown: [], pods: [] },
      'request-bad-policy',
    ],
    [
      'too many links',
      {
        op: 'policyDecided',
        links: Array(MAX_POLICY_LINKS + 1).fill('wv0123456789a'),
        unknown: [],
        pods: [],
      },
      'request-bad-policy',
    ],
    [
      'a pod without a uid',
      { op: 'policyDecided', links: [], unknown: [], pods: [{ link: 'wv', namespace: 'a', name: 'b' }] },
      'request-bad-policy',
    ],
    ['no CNI environment', { op: 'cni', config: '' }, 'request-bad-cni'],
    ['no CNI config', { op: 'cni', env: {} }, 'request-bad-cni'],
    ['a variable that is not of CNI', { op: 'cni', env: { PATH: '/' }, config: '' }, 'request-bad-cni'],
    ['a variable that is no text', { op: 'cni', env: { CNI_COMMAND: 1 }, config: '' }, 'request-bad-cni'],
    [
      'a variable too long',
      { op: 'cni', env: { CNI_ARGS: 'a'.repeat(MAX_CNI_VARIABLE_LENGTH + 1) }, config: '' },
      'request-bad-cni',
    ],
    [
      'too many variables',
      {
        op: 'cni',
        env: Object.fromEntries(
          Array.from({ length: MAX_CNI_VARIABLES + 1 }, (_, i) => [`CNI_${'A'.repeat(i + 1)}`, '']),
        ),
        config: '',
      },
      'request-bad-cni',
    ],
  ];
  for (const [what, value, fault] of refused) it(`refuses ${what}`, () => equal(faultOf(value), fault));

  it('refuses bytes that are no JSON, no text, or too many', () => {
    deepEqual(decodeRequest(utf8('{')), { ok: false, reason: 'request-not-json' });
    deepEqual(decodeRequest(new Uint8Array([0xff])), { ok: false, reason: 'request-not-json' });
    deepEqual(decodeRequest(new Uint8Array(0)), { ok: false, reason: 'request-not-json' });
    deepEqual(decodeRequest(new Uint8Array(MAX_REQUEST_BYTES + 1)), {
      ok: false,
      reason: 'request-too-large',
    });
  });

  it('passes over what a later weft-npc says beyond', () =>
    deepEqual(decode({ op: 'policyWait', revision: 'r', complete: true, more: 1 }), {
      ok: true,
      value: { op: 'policyWait', revision: 'r', complete: true },
    }));

  it('never throws', () => {
    fc.assert(fc.property(fc.json(), (json) => void decodeRequest(utf8(json))));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void decodeRequest(bytes)));
  });
});

describe('decodeAnswer', () => {
  it('reads back a result and an error', () => {
    const result = { ok: true, result: { connecting: ['a'] } } as const;
    deepEqual(decodeAnswer(encodeMessage(result)), { ok: true, value: result });
    const error = errorAnswer(new WeftError('E_A', 'it is broken', 'mend it'));
    deepEqual(decodeAnswer(encodeMessage(error)), {
      ok: true,
      value: { ok: false, error: { code: 'E_A', message: 'it is broken', remedy: 'mend it' } },
    });
  });

  it('refuses everything else', () => {
    for (const value of [
      null,
      [],
      {},
      { ok: true },
      { ok: true, result: 1 },
      { ok: false },
      { ok: 'true', result: {} },
    ]) {
      equal(decodeAnswer(utf8(JSON.stringify(value))).ok, false, JSON.stringify(value));
    }
    equal(decodeAnswer(utf8('{"ok":false,"error":{"code":1,"message":"","remedy":""}}')).ok, false);
  });

  it('tells of a bug of ours without a stack', () => {
    const answer = errorAnswer(new TypeError('x is undefined'));
    ok(!answer.ok);
    deepEqual([answer.error.code, answer.error.message], ['E_BUG', 'x is undefined']);
  });
});

describe('frame', () => {
  it('puts the length before the message', () => {
    deepEqual([...frame(utf8('ab'))], [2, 0, 0, 0, 0x61, 0x62]);
    equal(framedLength(frame(new Uint8Array(70_000))), 70_000);
    equal(framedLength(new Uint8Array(3)), undefined);
  });
});
