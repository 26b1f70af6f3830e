import { type CounterTable, counts, drops } from '../../base/counters.ts';
import type { CookieFault } from '../../crypto/cookie.ts';
import type { InitiationFault, ResponseFault } from '../handshake/handshake.ts';
import type { ControlFault } from './control-message.ts';
import type { Paths } from './paths.ts';

/**
 * What the tunnels count. `handshake` is how two nodes agree on keys, `tunnel` a tunnel's life, `path` the search for
 * a way to the peer, `control` the messages that go through a tunnel beside the packets of pods.
 */
export const TUNNEL_COUNTERS = {
  'handshake.initiationsSent': counts('Handshakes begun, one for each way to the peer that was tried.'),
  'handshake.initiationsUnsent': counts(
    'Handshakes that could not be begun because the relay could not be reached.',
  ),
  'handshake.answered': counts('Handshakes of other nodes that were answered.'),
  'handshake.completed': counts('Handshakes of this node that were answered and gave a session.'),
  'handshake.repeated': counts('Handshakes that came again, by another way, and got the same answer again.'),
  'handshake.simultaneous': drops(
    'handshake',
    'Handshakes that were set aside because this node had begun one with the same peer at the same time. Usual.',
  ),
  'handshake.tooSoon': drops(
    'handshake',
    'Handshakes that came right after one with the same peer was answered.',
  ),
  'handshake.replayed': drops(
    'handshake',
    'Handshakes that were seen before: recorded by somebody and sent again.',
  ),
  'handshake.regressed': drops(
    'handshake',
    'Handshakes with an older boot epoch than the peer had. Its state folder was rolled back; it begins anew.',
  ),
  'handshake.weRegressed': drops(
    'handshake',
    'Answers by which a peer says that it knows a newer boot epoch of this node. This node begins anew.',
  ),
  'handshake.noCommonSuite': drops(
    'handshake',
    'Handshakes with a peer that has no cipher suite in common with this node.',
  ),
  'handshake.badPeerKey': drops('handshake', 'Handshakes with a peer whose published key is no key.'),
  'handshake.unknownPeer': drops(
    'handshake',
    'Handshakes of a node whose record has not come yet. It tries again; the record is on its way.',
  ),
  'handshake.wrongKey': drops('handshake', 'Handshakes with another key than the node has published.'),
  'handshake.unknownType': drops('handshake', 'Packets of a kind that this node does not know.'),
  'handshake.badForm': drops('handshake', 'Handshakes that could not be read.'),
  'handshake.badMac1': drops(
    'handshake',
    'Handshakes without the mark of this cluster: of strangers, or of a node with another cluster secret.',
  ),
  'handshake.limited': drops(
    'handshake',
    'Handshakes that were ignored because too many came from one address or relay.',
  ),
  'handshake.unreadable': drops('handshake', 'Handshakes whose content could not be decrypted.'),
  'handshake.badPayload': drops('handshake', 'Handshakes that decrypted to something that makes no sense.'),
  'handshake.lateResponse': drops('handshake', 'Answers to handshakes that were over or given up.'),
  'handshake.responseBadForm': drops('handshake', 'Answers to handshakes that could not be read.'),
  'handshake.responseUnreadable': drops(
    'handshake',
    'Answers to handshakes whose content could not be decrypted.',
  ),
  'handshake.responseBadPayload': drops(
    'handshake',
    'Answers to handshakes that decrypted to something that makes no sense.',
  ),
  'handshake.responseBadSuite': drops(
    'handshake',
    'Answers to handshakes with a cipher suite that this node had not offered.',
  ),
  'handshake.cookiesSent': counts(
    'Handshakes that were asked to prove their address first, because more of them came than this node takes at once.',
  ),
  'handshake.cookiesTaken': counts('Times a peer under load asked this node to prove its address.'),
  'handshake.lateCookie': drops(
    'handshake',
    'Requests to prove the address of a handshake that was over, or proven.',
  ),
  'handshake.cookieMalformed': drops('handshake', 'Requests to prove an address that could not be read.'),
  'handshake.cookieUnasked': drops('handshake', 'Requests to prove an address without a handshake before.'),
  'handshake.cookieBadTag': drops('handshake', 'Requests to prove an address that were forged or damaged.'),
  'tunnel.resumed': counts('Tunnels that went on after a take-over without a handshake.'),
  'tunnel.notResumed': counts(
    'Tunnels that the weftd before handed over and that could not go on as they were. They are made anew.',
  ),
  'tunnel.unknownIndex': drops(
    'packet',
    'Packets of sessions that this node does not have, after which it asked their senders for a new one.',
  ),
  'tunnel.peerRestarted': counts('Handshakes begun because the peer has restarted.'),
  'tunnel.gaveUp': counts(
    'Attempts to reach a peer that ended without an answer. They are repeated while packets wait.',
  ),
  'tunnel.pathDead': counts('Tunnels whose peer answered no longer; another way is looked for.'),
  'tunnel.mtuLowered': counts('Times the path to a peer turned out to carry smaller packets than before.'),
  'path.challenged': counts('Ways to a peer that were put to the test.'),
  'path.moved': counts('Ways to a peer that passed the test and are used from then on.'),
  'path.kept': counts('Ways to a peer that passed the test while the way in use stays.'),
  'path.stale': counts('Answers to tests that were over.'),
  'control.overflow': drops('message', 'Messages of peers for which the queue of this node had no room.'),
  'control.empty': drops('message', 'Messages of peers without content.'),
  'control.truncated': drops('message', 'Messages of peers that are shorter than their kind requires.'),
  'control.tooLong': drops('message', 'Messages of peers that are longer than allowed.'),
  'control.unknownType': drops(
    'message',
    'Messages of peers of a kind that this node does not know. Usual while nodes run different versions.',
  ),
  'control.sizeMismatch': drops('message', 'Probes of the path MTU that are not as large as they say.'),
  'control.stalePort': counts('Answers to probes of further source ports that nobody waits for any more.'),
  'control.stalePong': counts('Answers to pings that came too late to count.'),
  'control.staleMtuAck': counts('Answers to probes of the path MTU that came too late to count.'),
} as const satisfies CounterTable;

/** A name that the tunnels count under. */
export type TunnelCounter = keyof typeof TUNNEL_COUNTERS;

/** Where a fault of a peer is counted: in an initiation, a response, a cookie reply, a control message. */
export const COUNTER_BY_INITIATION_FAULT: Readonly<Record<InitiationFault, TunnelCounter>> = {
  badForm: 'handshake.badForm',
  unreadable: 'handshake.unreadable',
  badPayload: 'handshake.badPayload',
};
export const COUNTER_BY_RESPONSE_FAULT: Readonly<Record<ResponseFault, TunnelCounter>> = {
  badForm: 'handshake.responseBadForm',
  unreadable: 'handshake.responseUnreadable',
  badPayload: 'handshake.responseBadPayload',
};
export const COUNTER_BY_COOKIE_FAULT: Readonly<Record<CookieFault, TunnelCounter>> = {
  malformed: 'handshake.cookieMalformed',
  unasked: 'handshake.cookieUnasked',
  'bad-tag': 'handshake.cookieBadTag',
};
export const COUNTER_BY_CONTROL_FAULT: Readonly<Record<ControlFault, TunnelCounter>> = {
  empty: 'control.empty',
  truncated: 'control.truncated',
  tooLong: 'control.tooLong',
  unknownType: 'control.unknownType',
  sizeMismatch: 'control.sizeMismatch',
};

/** Where it is counted what the answer to a path challenge led to. */
export const COUNTER_BY_ANSWER: Readonly<Record<ReturnType<Paths['answered']>, TunnelCounter>> = {
  moved: 'path.moved',
  kept: 'path.kept',
  stale: 'path.stale',
};
