import { deepEqual, equal, match } from 'node:assert/strict';
import type { StatusResult } from '../../../control/control-protocol.ts';
import type { PeerStatus } from '../../../control/peer-status.ts';
import type { Finding } from '../../../doctor/finding.ts';
import {
  type MeshFacts,
  type PeerWay,
  peerFindings,
  versionFindings,
  weftdFindings,
} from '../../../doctor/mesh-findings.ts';

const PEER: PeerStatus = {
  name: 'b',
  peerId: 'b'.repeat(64),
  state: 'connected',
  endpoint: '192.0.2.2:6783',
  via: null,
  datapath: 'sleeve',
  suite: 'chacha20-poly1305',
  rttMs: 0.4,
};

function facts(
  peer: Partial<PeerStatus>,
  more: Omit<Partial<MeshFacts>, 'status'> & { status?: Partial<StatusResult> } = {},
): MeshFacts {
  const { status, ...rest } = more;
  return {
    ownVersion: '1',
    versionByPeer: new Map(),
    tcpByPeer: new Map(),
    wayByPeer: new Map(),
    ...rest,
    status: {
      name: 'a',
      peerId: 'a'.repeat(64),
      version: '1',
      addresses: [],
      peers: [{ ...PEER, ...peer }],
      ipam: { state: 'ready', detail: '', ranges: ['10.32.0.0/14'], owned: 4, used: 1, families: {} },
      ...status,
    },
  };
}

const open = new Map([
  [PEER.peerId, { endpoint: '192.0.2.2:6783', outcome: { outcome: 'open', rttMs: 1 } as const }],
]);
const silent = new Map([
  [PEER.peerId, { endpoint: '192.0.2.2:6783', outcome: { outcome: 'silent' } as const }],
]);

describe('the doctor of peers', () => {
  it('is content with a direct tunnel', () => equal(peerFindings(facts({}))[0]!.verdict, 'ok'));

  it('tells the path MTU, and which ways UDP and TCP are known to work', () => {
    const way = { mtu: 1364, mtuConfirmed: true, link: 'theirs' } as const;
    const of = (more: Partial<PeerWay>, tcpByPeer: MeshFacts['tcpByPeer']) => {
      const [{ verdict, seen }] = peerFindings(
        facts({}, { wayByPeer: new Map([[PEER.peerId, { ...way, ...more }]]), tcpByPeer }),
      ) as [Finding];
      return `${verdict}: ${seen.replace(/^.*UDP/, 'UDP')}`;
    };
    equal(of({}, open), 'ok: UDP both ways, packets of 1364 bytes proven; TCP both ways');
    equal(of({ link: 'ours' }, open), 'ok: UDP both ways, packets of 1364 bytes proven; TCP to there');
    equal(
      of({ link: null, mtuConfirmed: false }, open),
      'ok: UDP both ways, packets of 1364 bytes not proven yet; TCP to there',
    );
    equal(
      of({}, silent),
      'warning: UDP both ways, packets of 1364 bytes proven; TCP to 192.0.2.2:6783 is not answered, from there it is',
    );
  });

  it('finds UDP that is blocked while TCP works', () => {
    const [finding] = peerFindings(facts({ state: 'unreachable', endpoint: null }, { tcpByPeer: open }));
    equal(finding!.verdict, 'fault');
    match(finding!.seen, /UDP is not answered, while TCP to 192.0.2.2:6783 is answered/);
    match(finding!.remedy!, /let UDP of that port through/);
  });

  it('finds a host that answers nothing', () => {
    const [finding] = peerFindings(facts({ state: 'connecting', endpoint: null }, { tcpByPeer: silent }));
    match(finding!.seen, /TCP to 192.0.2.2:6783 is not answered/);
  });

  it('warns where packets are relayed', () => {
    const [finding] = peerFindings(facts({ endpoint: null, via: 'c' }, { tcpByPeer: open }));
    equal(finding!.verdict, 'warning');
    match(finding!.seen, /relayed by c/);
  });

  it('passes over who left, and writes no control characters of names', () => {
    deepEqual(peerFindings(facts({ state: 'left' })), []);
    equal(peerFindings(facts({ name: 'x\u001b[2J' }))[0]!.check.includes('\u001b'), false);
  });
});

describe('the doctor of weftd', () => {
  it('hands on what the ring says and each warning with what to do', () => {
    const findings = weftdFindings(
      facts(
        {},
        {
          status: {
            warnings: ['the pool is full; add a node'],
            ipam: { state: 'waiting', detail: 'no ring yet', ranges: [], owned: 0, used: 0, families: {} },
          },
        },
      ),
    );
    deepEqual(
      findings.map(({ verdict, seen, remedy }) => [verdict, seen, remedy]),
      [
        ['fault', 'no ring yet', "see 'weft ipam'"],
        ['warning', 'the pool is full', 'add a node'],
      ],
    );
  });

  it('tells of several versions, and of a weft that is not of its weftd', () => {
    equal(versionFindings(facts({}, { versionByPeer: new Map([[PEER.peerId, '1']]) }))[0]!.verdict, 'ok');
    match(
      versionFindings(facts({}, { versionByPeer: new Map([[PEER.peerId, '2']]) }))[0]!.seen,
      /others: b 2$/,
    );
    match(versionFindings(facts({}, { ownVersion: '3' }))[0]!.seen, /this weft of 3/);
  });
});
