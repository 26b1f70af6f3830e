import { equal } from 'node:assert/strict';
import { foreignRequest, type RequestOrigin } from '../../../ui/access/foreign-request.ts';

/** A request that the page itself makes. */
const OWN: RequestOrigin = {
  method: 'GET',
  path: '/api/picture',
  host: '127.0.0.1:6790',
  origin: undefined,
  site: 'same-origin',
  mode: 'cors',
  contentType: undefined,
};
const POST = { ...OWN, method: 'POST', path: '/api/session', contentType: 'application/json' };

describe('a request to the page', () => {
  const cases: readonly (readonly [what: string, request: RequestOrigin, fault: string | undefined])[] = [
    ['of itself passes', OWN, undefined],
    ['of a program that is no browser passes', { ...OWN, site: undefined, mode: undefined }, undefined],
    ['by another name of the loopback passes', { ...OWN, host: 'localhost:8080' }, undefined],
    ['by the loopback of IPv6 passes', { ...OWN, host: '[::1]:6790' }, undefined],
    ['that says its own origin passes', { ...POST, origin: 'http://127.0.0.1:6790' }, undefined],
    [
      'that opens the page from a link elsewhere passes',
      { ...OWN, path: '/', site: 'cross-site', mode: 'navigate' },
      undefined,
    ],
    ['by a name of somebody else is refused', { ...OWN, host: 'rebound.example:6790' }, 'E_UI_HOST'],
    ['by a name that begins as ours is refused', { ...OWN, host: '127.0.0.1.example' }, 'E_UI_HOST'],
    ['by a name that ends as ours is refused', { ...OWN, host: 'x.localhost' }, 'E_UI_HOST'],
    ['by no name is refused', { ...OWN, host: undefined }, 'E_UI_HOST'],
    ['of another origin is refused', { ...POST, origin: 'http://evil.example' }, 'E_UI_ORIGIN'],
    ['of another port of this host is refused', { ...POST, origin: 'http://127.0.0.1:9999' }, 'E_UI_ORIGIN'],
    ['of a page in a sandbox is refused', { ...POST, origin: 'null' }, 'E_UI_ORIGIN'],
    ['of another site is refused', { ...OWN, site: 'cross-site' }, 'E_UI_SITE'],
    ['of another port, which is the same site, is refused', { ...OWN, site: 'same-site' }, 'E_UI_SITE'],
    [
      'for a file by another site is refused',
      { ...OWN, path: '/page/main.js', site: 'cross-site' },
      'E_UI_SITE',
    ],
    [
      'that frames the page is refused',
      { ...OWN, path: '/', site: 'cross-site', mode: 'no-cors' },
      'E_UI_SITE',
    ],
    ['of a form is refused', { ...POST, contentType: 'text/plain' }, 'E_UI_TYPE'],
    [
      'of a form that looks a little like JSON is refused',
      { ...POST, contentType: 'application/jsonx' },
      'E_UI_TYPE',
    ],
    ['that changes something and has no type is refused', { ...POST, contentType: undefined }, 'E_UI_TYPE'],
  ];
  for (const [what, request, fault] of cases) it(what, () => equal(foreignRequest(request), fault));
});
