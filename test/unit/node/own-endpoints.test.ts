import { deepEqual, equal } from 'node:assert/strict';
import { type Endpoint, parseEndpoint } from '../../../base/endpoint.ts';
import { OwnEndpoints } from '../../../node/own-endpoints.ts';

const at = (text: string): Endpoint => parseEndpoint(text)!;
const bridges = Array.from({ length: 20 }, (_, i) => at(`172.${17 + i}.0.1:6783`));
const real = at('192.0.2.1:6783');

describe('the endpoints that a node tells of itself', () => {
  it('are no more than a record holds', () => {
    equal(new OwnEndpoints(bridges).published.length, 16);
  });

  it('begin with those at which a control link stands', () => {
    const own = new OwnEndpoints([...bridges, real]);
    equal(own.published.includes(real), false);
    equal(own.prove(at('192.0.2.1:40000')), true);
    deepEqual(own.published.slice(0, 2), [real, bridges[0]]);
    equal(own.prove(at('192.0.2.1:40001')), false, 'which is news once');
    equal(own.prove(at('203.0.113.9:6783')), false, 'and only for addresses that the host has');
  });

  it('stay as they are where they are few', () => {
    const few = [at('192.0.2.1:6783'), at('[2001:db8::1]:6783')];
    const own = new OwnEndpoints(few);
    equal(own.prove(few[1]!), false);
    deepEqual(own.published, few);
  });

  it('follow the host', () => {
    const own = new OwnEndpoints([real]);
    equal(own.set([real]), false);
    equal(own.set([at('192.0.2.2:6783')]), true);
    deepEqual(own.published, [at('192.0.2.2:6783')]);
    // An address that went and came back has to be seen to work again.
    own.set([...bridges, real]);
    own.prove(real);
    own.set(bridges);
    own.set([...bridges, real]);
    equal(own.published.includes(real), false);
  });
});
