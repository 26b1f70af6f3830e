import { deepEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { readRequestHead } from '../../../../host/http/request-head.ts';

const FIELDS = 'Host: a\r\nUser-Agent: Prometheus/2.42.0\r\nAccept: text/plain\r\n\r\n';

describe('readRequestHead', () => {
  const cases: readonly (readonly [string, string, ReturnType<typeof readRequestHead>])[] = [
    ['a scrape', `GET /metrics HTTP/1.1\r\n${FIELDS}`, { method: 'GET', path: '/metrics' }],
    ['a query', 'GET /readyz?verbose HTTP/1.1\r\n\r\n', { method: 'GET', path: '/readyz' }],
    ['lines that end with a line feed alone', 'HEAD / HTTP/1.0\n\n', { method: 'HEAD', path: '/' }],
    ['a body behind the head', 'POST /x HTTP/1.1\r\n\r\nbody', { method: 'POST', path: '/x' }],
    ['nothing yet', '', 'incomplete'],
    ['a head that has not ended', 'GET / HTTP/1.1\r\nHost: a\r\n', 'incomplete'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\n', 'malformed'],
    ['a proxy request', 'GET http://a/ HTTP/1.1\r\n\r\n', 'malformed'],
    ['a target with a control character', 'GET /\u0001 HTTP/1.1\r\n\r\n', 'malformed'],
    ['no version', 'GET /\r\n\r\n', 'malformed'],
    ['an empty line first', '\r\n\r\n', 'malformed'],
    ['a method in lower case', 'get / HTTP/1.1\r\n\r\n', 'malformed'],
    ['a head without an end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(4_096)}`, 'too-long'],
    ['a head that ends too late', `GET / HTTP/1.1\r\nX: ${'x'.repeat(4_096)}\r\n\r\n`, 'too-long'],
  ];
  for (const [what, text, expected] of cases)
    it(`reads ${what}`, () => deepEqual(readRequestHead(text), expected));

  it('gives an answer to whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: 'binary-ascii' }), (text) => {
        const head = readRequestHead(`${text}\r\n\r\n`);
        return typeof head === 'object' ? head.path.startsWith('/') : head === 'malformed';
      }),
    );
  });
});
