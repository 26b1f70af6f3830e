import { deepEqual, equal } from 'node:assert/strict';
import { type Delta, ObjectStore } from '../../../kube/object-store.ts';
import type { ObjectMeta } from '../../../kube/objects.ts';

const object = (name: string, version: number, uid = name, namespace = 'a'): ObjectMeta => ({
  namespace,
  name,
  uid,
  resourceVersion: String(version),
});
const delta = (parts: Partial<Delta<ObjectMeta>> = {}): Delta<ObjectMeta> => ({
  gone: [],
  added: [],
  changed: [],
  ...parts,
});

describe('ObjectStore', () => {
  let store: ObjectStore<ObjectMeta>;
  beforeEach(() => {
    store = new ObjectStore();
  });

  it('tells what is new, what changed, and nothing of what is as it was', () => {
    const [one, two, newer] = [object('x', 1), object('y', 1), object('x', 2)];
    deepEqual(store.put([one, two]), delta({ added: [one, two] }));
    deepEqual(store.put([newer, two]), delta({ changed: [{ before: one, after: newer }] }));
  });

  it('keeps objects of one name in two namespaces apart', () => {
    const [one, other] = [object('x', 1, 'u1', 'a'), object('x', 1, 'u2', 'b')];
    deepEqual(store.put([one, other]), delta({ added: [one, other] }));
    equal(store.size, 2);
    deepEqual(store.remove({ namespace: 'a', name: 'x' }), delta({ gone: [one] }));
    deepEqual(store.remove({ namespace: 'a', name: 'x' }), delta());
    equal(store.size, 1);
  });

  it('takes another UID under the same key for one object that is gone and one that is new', () => {
    const [one, again] = [object('x', 1, 'first'), object('x', 2, 'second')];
    store.put([one]);
    deepEqual(store.put([again]), delta({ gone: [one], added: [again] }));
  });

  it('drops at the end of a list what no page of it held, and not before', () => {
    const [one, two, three] = [object('x', 1), object('y', 1), object('z', 1)];
    store.beginList();
    store.put([one, two]);
    deepEqual(store.endList(), delta());
    store.beginList();
    deepEqual(store.put([one]), delta());
    deepEqual(store.put([three]), delta({ added: [three] }));
    equal(store.size, 3);
    deepEqual(store.endList(), delta({ gone: [two] }));
  });
});
