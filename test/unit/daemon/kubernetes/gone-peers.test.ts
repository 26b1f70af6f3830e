import { deepEqual, equal } from 'node:assert/strict';
import { type PeerId, parsePeerId } from '../../../../base/peer-id.ts';
import { gonePeers, isCaretaker } from '../../../../daemon/kubernetes/gone-peers.ts';
import type { Member } from '../../../../gossip/model/gossip-output.ts';

const peer = (digit: string): PeerId => parsePeerId(digit.repeat(64))!;
const [a, b, c] = [peer('a'), peer('b'), peer('c')];

function member(of: PeerId, state: Member['state'], name: string): Pick<Member, 'peer' | 'state' | 'info'> {
  return { peer: of, state, info: { name } as Member['info'] };
}

function gone(
  members: readonly Pick<Member, 'peer' | 'state' | 'info'>[],
  nodes: readonly string[],
  settled = true,
): PeerId[] {
  return gonePeers({
    self: peer('d'),
    ownName: 'n9',
    peers: [a, b, b, c],
    members,
    nodeNames: new Set(nodes),
    settled,
  });
}

describe('gonePeers', () => {
  it('finds the dead whose nodes are gone, and lets the dead be whose nodes are there', () => {
    deepEqual(gone([member(b, 'dead', 'n2')], ['n1']), [b]);
    deepEqual(gone([member(b, 'left', 'n2')], ['n1']), [b]);
    deepEqual(gone([member(b, 'dead', 'n2')], ['n1', 'n2']), []);
  });

  it('finds no one who may live, whatever the API says', () => {
    deepEqual(gone([member(b, 'alive', 'n2'), member(c, 'suspect', 'n3')], []), []);
  });

  it('finds the dead under whose name another lives: its disk was lost', () => {
    deepEqual(gone([member(b, 'dead', 'n2'), member(c, 'alive', 'n2')], ['n1', 'n2']), [b]);
  });

  it('takes those it never heard of for dead only after a while', () => {
    const never = [member(b, 'unknown', 'n2')];
    deepEqual(gone(never, ['n1'], false), []);
    deepEqual(gone(never, ['n1'], true), [b]);
  });

  it('takes owners that nobody ever heard of for gone once each node of the API is alive here as a peer', () => {
    const one = peer('1');
    const here = [member(one, 'alive', 'n1')];
    deepEqual(gone(here, ['n1', 'n9']), [a, b, c]);
    deepEqual(gone(here, ['n1', 'n9'], false), [], 'not before this node has listened');
    deepEqual(gone(here, ['n1', 'n2', 'n9']), [], 'n2 may be one of them');
    deepEqual(gone([member(one, 'suspect', 'n1')], ['n1', 'n9']), []);
    deepEqual(gone([], []), []);
  });
});

describe('isCaretaker', () => {
  it('is the one with the lowest id', () => {
    equal(isCaretaker(b, [c]), true);
    equal(isCaretaker(b, [a, c]), false);
    equal(isCaretaker(b, []), true);
  });
});
