import { parseAddress } from '../../base/address.ts';
import { utf8 } from '../../base/bytes.ts';
import { parseEndpoint } from '../../base/endpoint.ts';
import { parseCidr } from '../../base/range.ts';
import { decodeAnswer, decodeRequest, encodeMessage } from '../../control/control-protocol.ts';
import { decodeProbeMessage, encodeProbeMessage } from '../../daemon/probe/probe-message.ts';
import { readConfig } from '../../daemon/settings/config.ts';
import { parsePeerHint } from '../../daemon/settings/peer-hint.ts';
import type { FuzzTarget } from './run.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What weftd reads from local files and the control socket. */
export const daemonTargets: readonly FuzzTarget[] = [
  {
    name: 'control request',
    run: (bytes) => decodeRequest(bytes),
    seeds: [
      encodeMessage({ op: 'status' }),
      encodeMessage({ op: 'connect', peers: ['a', '[2001:db8::1]:6783'] }),
      encodeMessage({ op: 'rmpeer', peer: 'a' }),
      encodeMessage({
        op: 'probe',
        source: '10.32.0.2',
        target: '10.40.0.2',
        protocol: 'TCP',
        port: 80,
        bytes: 0,
      }),
      encodeMessage({
        op: 'cni',
        env: { CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0' },
        config: '{"cniVersion":"1.1.0"}',
      }),
    ],
  },
  {
    name: 'messages about probes',
    run: (bytes) => decodeProbeMessage(bytes),
    seeds: [
      encodeProbeMessage({ say: 'ask', id: '0123abcd' }),
      encodeProbeMessage({
        say: 'watch',
        id: '0123abcd',
        flow: {
          protocol: 'TCP',
          source: parseAddress('10.32.0.2')!,
          target: parseAddress('10.40.0.2')!,
          port: 80,
          mark: 61_000,
        },
      }),
      utf8(
        '{"say":"told","id":"0123abcd","saw":{"target":"pod","gate":null,"forwards":true,"seen":[],"drops":[]}}',
      ),
    ],
  },
  {
    name: 'control answer',
    run: (bytes) => decodeAnswer(bytes),
    seeds: [
      encodeMessage({ ok: true, result: { name: 'a' } }),
      encodeMessage({ ok: false, error: { code: 'E_A', message: 'b', remedy: 'c' } }),
    ],
  },
  {
    name: 'config file',
    run: (bytes) => readConfig({ argv: [], env: {}, hostName: 'a', file: { path: '/f', text: text(bytes) } }),
    seeds: [utf8('{"name": "a", "port": 6783, "peer": ["b", "10.0.0.1:1"], "masquerade": true}')],
  },
  {
    name: 'address texts',
    run: (bytes) => {
      const given = text(bytes);
      parseAddress(given);
      parseCidr(given);
      parseEndpoint(given);
      parsePeerHint(given, 6783);
    },
    seeds: ['10.32.0.0/12', '[2001:db8::1]:6783', '::ffff:192.0.2.1', 'fd00:1:2:3::/64', 'node-a:1'].map(
      utf8,
    ),
  },
];
