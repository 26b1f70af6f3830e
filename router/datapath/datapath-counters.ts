import { type CounterTable, counts, drops } from '../../base/counters.ts';

/**
 * What a datapath counts, whichever runs. Names with `out` are of packets from this node into tunnels, with `in` of
 * packets out of tunnels to this node, with `relay` of sealed packets that this node passes on for others.
 */
export const DATAPATH_COUNTERS = {
  'datapath.outTruncated': drops('packet', 'Outgoing packets that end before their headers do.'),
  'datapath.outVersion': drops('packet', 'Outgoing packets that are neither IPv4 nor IPv6.'),
  'datapath.outHeaderLength': drops(
    'packet',
    'Outgoing packets whose header gives a wrong length of itself.',
  ),
  'datapath.outLength': drops('packet', 'Outgoing packets whose header gives a wrong length of the packet.'),
  'datapath.outOptions': drops('packet', 'Outgoing packets with malformed IP options.'),
  'datapath.outSourceRoute': drops('packet', 'Outgoing packets that prescribe their route (source routing).'),
  'datapath.outExtensionHeader': drops(
    'packet',
    'Outgoing IPv6 packets with extension headers that cannot be checked.',
  ),
  'datapath.outFragment': drops('packet', 'Outgoing fragments of packets that are malformed.'),
  'datapath.outTransport': drops('packet', 'Outgoing packets whose TCP, UDP or ICMP header is cut off.'),
  'datapath.outMulticast': drops(
    'packet',
    'Outgoing packets to groups or broadcast: the overlay carries none.',
  ),
  'datapath.outLinkControl': drops(
    'packet',
    'Outgoing packets that have a meaning on one link only, such as router advertisements and redirects.',
  ),
  'datapath.outForeignSource': drops(
    'packet',
    'Outgoing packets with a source address that is not of this node: a pod forges addresses, or the host routes into the tunnel what it should not.',
  ),
  'datapath.outUnknownDestination': drops(
    'packet',
    'Outgoing packets to an address that no node owns. The sender gets an ICMP error.',
  ),
  'datapath.outOwnDestination': drops(
    'packet',
    'Outgoing packets to an address of this node that no pod has. The sender gets an ICMP error.',
  ),
  'datapath.outTooBig': drops(
    'packet',
    'Outgoing packets that are larger than the path takes and must not be cut. The sender gets an ICMP error and sends smaller ones.',
  ),
  'datapath.outChecksumOffset': drops('packet', 'Outgoing packets whose checksum would lie outside of them.'),
  'datapath.outGsoType': drops('packet', 'Outgoing super-packets of a kind that cannot be cut.'),
  'datapath.outGsoFragment': drops('packet', 'Outgoing super-packets that are fragments.'),
  'datapath.outGsoChecksum': drops('packet', 'Outgoing super-packets without the place of their checksum.'),
  'datapath.outGsoSize': drops('packet', 'Outgoing super-packets with an impossible size of their segments.'),
  'datapath.outWaitingFull': drops(
    'packet',
    'Outgoing packets for which there was no room while the tunnel to their node was not up yet.',
  ),
  'datapath.outWaitedTooLong': drops(
    'packet',
    'Outgoing packets that waited too long for the tunnel to their node.',
  ),
  'datapath.outUnsent': drops('packet', 'Outgoing packets whose session ended before they were sealed.'),
  'datapath.outFragmented': counts('Outgoing packets that were cut into fragments to fit the path.'),
  'datapath.outIcmpSent': counts('ICMP errors sent to pods and hosts of this node.'),
  'datapath.outIcmpLimited': counts('ICMP errors that were not sent because too many were due.'),
  'datapath.inMalformed': drops('datagram', 'Datagrams at the tunnel port that are none of Weft.'),
  'datapath.inForeignTooLong': drops('datagram', 'Handshakes that are longer than allowed.'),
  'datapath.inUnknownIndex': drops(
    'datagram',
    'Datagrams of a session that this node does not have, as after its restart. The sender makes a new one.',
  ),
  'datapath.inCounter': drops('datagram', 'Datagrams with an impossible packet number.'),
  'datapath.inReplay': drops(
    'datagram',
    'Datagrams that came twice, or after so many others that this cannot be told: the network doubles or delays them, or somebody replays them.',
  ),
  'datapath.inForged': drops('datagram', 'Datagrams that did not decrypt: forged, or damaged on the way.'),
  'datapath.inDeadSession': drops('datagram', 'Datagrams of a session that may decrypt no more.'),
  'datapath.inPadding': drops('datagram', 'Datagrams with wrong padding within.'),
  'datapath.inInnerHeader': drops('datagram', 'Datagrams with a wrong header within.'),
  'datapath.inKind': drops(
    'datagram',
    'Datagrams of a kind that this node does not know. Usual while nodes run different versions.',
  ),
  'datapath.inNestedEnvelope': drops('datagram', 'Relayed datagrams within relayed datagrams.'),
  'datapath.inEnvelope': drops('datagram', 'Relayed datagrams with nothing in them.'),
  'datapath.inTruncated': drops('packet', 'Incoming packets that end before their headers do.'),
  'datapath.inVersion': drops('packet', 'Incoming packets that are neither IPv4 nor IPv6.'),
  'datapath.inHeaderLength': drops('packet', 'Incoming packets whose header gives a wrong length of itself.'),
  'datapath.inLength': drops('packet', 'Incoming packets whose header gives a wrong length of the packet.'),
  'datapath.inOptions': drops('packet', 'Incoming packets with malformed IP options.'),
  'datapath.inSourceRoute': drops('packet', 'Incoming packets that prescribe their route (source routing).'),
  'datapath.inExtensionHeader': drops(
    'packet',
    'Incoming IPv6 packets with extension headers that cannot be checked.',
  ),
  'datapath.inFragment': drops('packet', 'Incoming fragments of packets that are malformed.'),
  'datapath.inTransport': drops('packet', 'Incoming packets whose TCP, UDP or ICMP header is cut off.'),
  'datapath.inMulticast': drops(
    'packet',
    'Incoming packets to groups or broadcast: the overlay carries none.',
  ),
  'datapath.inLinkControl': drops(
    'packet',
    'Incoming packets that have a meaning on one link only, such as router advertisements and redirects.',
  ),
  'datapath.inForeignSource': drops(
    'packet',
    'Incoming packets with a source address that the sending node does not own: forged, or the owner has just changed.',
  ),
  'datapath.inForeignDestination': drops(
    'packet',
    'Incoming packets to an address that this node does not own: the owner has just changed, or the sender is wrong.',
  ),
  'datapath.inForeignQuote': drops(
    'packet',
    'Incoming ICMP errors about packets that this node did not send to the node they come from.',
  ),
  'datapath.inChecksumOffset': drops(
    'packet',
    'Incoming packets whose checksum is said to be where it cannot be.',
  ),
  'datapath.inCongestion': drops(
    'packet',
    'Incoming packets whose datagrams were marked as having met congestion, though their senders know no such marks.',
  ),
  'datapath.relayForwarded': counts('Sealed datagrams of other nodes that were passed on.'),
  'datapath.relayRefused': drops('datagram', 'Sealed datagrams for others that this node does not pass on.'),
  'datapath.relayTooFar': drops(
    'datagram',
    'Sealed datagrams for others that had gone by as many relays as allowed.',
  ),
  'datapath.relayUnknownDestination': drops(
    'datagram',
    'Sealed datagrams for others whose node is not known here.',
  ),
  'datapath.relayUnreachable': drops(
    'datagram',
    'Sealed datagrams for others whose node this node cannot reach.',
  ),
  'datapath.sendTooLarge': drops(
    'datagram',
    'Datagrams that are larger than the interface or path takes. Usual while the path MTU is searched for.',
  ),
  'datapath.sendNoBuffers': drops('datagram', 'Datagrams for which the kernel had no buffer.'),
  'datapath.sendRefused': drops('datagram', 'Datagrams to a node that said that nothing listens there.'),
  'datapath.sendNetworkUnreachable': drops(
    'datagram',
    'Datagrams to a network that the host has no route to.',
  ),
  'datapath.sendHostUnreachable': drops('datagram', 'Datagrams to a host that did not answer on its link.'),
  'datapath.sendForbidden': drops('datagram', 'Datagrams that a firewall of this host forbids to send.'),
  'datapath.sendFailed': drops('datagram', 'Datagrams that the kernel refused for another reason.'),
  'datapath.sendQueueFull': drops(
    'datagram',
    'Datagrams that waited for room in the kernel when the queue was full.',
  ),
  'datapath.noSocket': drops(
    'datagram',
    'Datagrams to an address family that this node does not listen on, or after the sockets were closed.',
  ),
  'datapath.badOrigin': drops(
    'datagram',
    'Datagrams from an address that nothing can be sent to, such as port 0.',
  ),
  'datapath.socketError': counts('Errors of the tunnel sockets.'),
  'datapath.segmentsOff': counts('Times a socket stopped sending in runs because its device cannot.'),
  'datapath.tunTcpSegmentsOff': counts(
    'Times TCP super-packets to the TUN were given up, for the kernel had begun to refuse them.',
  ),
  'datapath.tunUdpSegmentsOff': counts(
    'Times UDP super-packets to the TUN were given up, for the kernel had begun to refuse them.',
  ),
  'datapath.upwardFull': drops(
    'packet',
    'Packets and datagrams that the fast datapath left to the sleeve, which had too many to do: a flood from strangers, or traffic of a kind that only the sleeve carries.',
  ),
  'datapath.noTun': drops('packet', 'Incoming packets after the TUN device was closed.'),
  'datapath.tunInvalid': drops('packet', 'Incoming packets that the kernel refused as malformed.'),
  'datapath.tunWriteFailed': drops('packet', 'Incoming packets that the kernel refused for another reason.'),
} as const satisfies CounterTable;

/** A name that a datapath counts under. */
export type DatapathCounter = keyof typeof DATAPATH_COUNTERS;
