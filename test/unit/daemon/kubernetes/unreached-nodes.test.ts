import { equal, match } from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import { unreachedNodes } from '../../../../daemon/kubernetes/unreached-nodes.ts';

type Members = Parameters<typeof unreachedNodes>[0]['members'];

const member = (name: string, state: Members[number]['state'], since = 0): Members[number] => ({
  state,
  since: instant(since),
  info: { name } as Members[number]['info'],
});
const look = (members: Members, ...nodeNames: string[]): string | undefined =>
  unreachedNodes({ members, nodeNames: new Set(nodeNames), now: instant(300_000) })?.message;

describe('unreachedNodes', () => {
  it('warns of nodes that the API has and Weft has lost', () => {
    match(
      look([member('a', 'alive'), member('b', 'dead'), member('c', 'left')], 'a', 'b', 'c')!,
      /min: b, c; /,
    );
  });

  it('waits for those that are being restarted', () => equal(look([member('b', 'dead', 1)], 'b'), undefined));

  it('says nothing of nodes that are gone, or back under another id, or that Weft never saw', () => {
    equal(look([member('b', 'dead')], 'a'), undefined);
    equal(look([member('b', 'dead'), member('b', 'alive')], 'b'), undefined);
    equal(look([], 'b'), undefined);
    equal(look([member('b', 'unknown')], 'b'), undefined);
  });

  it('names a few of many', () => {
    const names = Array.from({ length: 30 }, (_, i) => `n${String(i).padStart(2, '0')}`);
    match(
      look(
        names.map((name) => member(name, 'dead')),
        ...names,
      )!,
      /: n00, .*, n09, and 20 more; /,
    );
  });
});
