import type { ChosenAeads } from '../../crypto/choose-aeads.ts';
import type { TunOffloads } from '../../native/tun.ts';
import type { UdpSocket } from '../../native/udp.ts';
import type { DatapathFeature } from './datapath.ts';
import type { DatapathCounter } from './datapath-counters.ts';

/** The ciphers that were looked at. */
export function aeadFeatures({ tried }: ChosenAeads): DatapathFeature[] {
  return tried.map(({ maker, fault, wrong }) => ({ name: `${maker.suite} by ${maker.by}`, fault, wrong }));
}

/** What the TUN device is for super-packets. */
export function tunFeatures(offloads: TunOffloads): DatapathFeature[] {
  const refused = 'this kernel does not grant it';
  const broken = 'this kernel refuses such packets, though it granted them';
  const feature = (name: string, granted: boolean, works: boolean): DatapathFeature => ({
    name,
    fault: works ? undefined : granted ? broken : refused,
    wrong: granted && !works,
  });
  const { vnetHeader, tcp, udp, writeTcp, writeUdp } = offloads;
  return [
    feature('headers with offloads on the TUN', vnetHeader, vnetHeader),
    feature('TCP super-packets from the TUN', tcp, tcp),
    feature('UDP super-packets from the TUN', udp, udp),
    feature('TCP super-packets to the TUN', tcp, writeTcp),
    feature('UDP super-packets to the TUN', udp, writeUdp),
  ];
}

/** What was given up while packets moved, by the name of its feature and the counter that says so. */
const GIVEN_UP: Readonly<Record<string, DatapathCounter>> = {
  'TCP super-packets to the TUN': 'datapath.tunTcpSegmentsOff',
  'UDP super-packets to the TUN': 'datapath.tunUdpSegmentsOff',
  'several datagrams in one call': 'datapath.segmentsOff',
};

/** `features` as they were at the start, without those that were `givenUp` since. */
export function liveFeatures(
  features: readonly DatapathFeature[],
  givenUp: ReadonlySet<DatapathCounter>,
): DatapathFeature[] {
  return features.map((feature) => {
    const counter = GIVEN_UP[feature.name];
    if (feature.fault !== undefined || counter === undefined || !givenUp.has(counter)) return feature;
    const device = counter === 'datapath.segmentsOff';
    const fault = device
      ? 'the device that they leave by cannot do it'
      : 'the kernel refused some, so it was given up';
    return { ...feature, fault, wrong: !device };
  });
}

/** What the sockets are for runs of datagrams. */
export function udpFeatures(sockets: readonly UdpSocket[]): DatapathFeature[] {
  const feature = (name: string, works: boolean): DatapathFeature => ({
    name,
    fault: works ? undefined : 'this kernel does not do it',
    wrong: false,
  });
  return [
    feature(
      'several datagrams in one call',
      sockets.every(({ segments }) => segments),
    ),
    feature(
      'several datagrams as one message',
      sockets.every(({ joins }) => joins),
    ),
  ];
}
