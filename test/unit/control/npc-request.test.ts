import { deepEqual } from 'node:assert/strict';
import { utf8 } from '../../../base/bytes.ts';
import { decodeNpcRequest } from '../../../control/npc-request.ts';

const decode = (value: unknown) =>
  decodeNpcRequest(utf8(typeof value === 'string' ? value : JSON.stringify(value)));

describe('decodeNpcRequest', () => {
  it('reads each request, and nothing beyond it', () => {
    for (const op of ['policyStatus', 'process', 'yield'])
      deepEqual(decode({ op, more: 1 }), { ok: true, value: { op } });
    const question = { op: 'policyExplain', source: 'a/b', destination: '10.0.0.1', port: '80/tcp' };
    deepEqual(decode({ ...question, more: 1 }), { ok: true, value: question });
    deepEqual(decode({ ...question, with: 'kind: x' }), {
      ok: true,
      value: { ...question, with: 'kind: x' },
    });
  });

  for (const [what, request, reason] of [
    ['no JSON', '{', 'request-not-json'],
    ['a number', '7', 'request-not-json'],
    ['null', 'null', 'request-not-json'],
    ['an unknown operation', { op: 'status' }, 'request-unknown-op'],
    ['an operation of every object', { op: 'toString' }, 'request-unknown-op'],
    [
      'a question without a source',
      { op: 'policyExplain', destination: 'a', port: '1' },
      'request-bad-policy',
    ],
    ['an empty port', { op: 'policyExplain', source: 'a', destination: 'b', port: '' }, 'request-bad-policy'],
    [
      'an end of many characters',
      { op: 'policyExplain', source: 'a'.repeat(400), destination: 'b', port: '1' },
      'request-bad-policy',
    ],
    [
      'policies that are no text',
      { op: 'policyExplain', source: 'a', destination: 'b', port: '1', with: {} },
      'request-bad-policy',
    ],
  ] as const) {
    it(`refuses ${what}`, () => deepEqual(decode(request), { ok: false, reason }));
  }
});
