// A tunnel without a wire: two TUN devices whose packets this program hands from one to the other as they are, with
// their virtio headers. weft0 stays in the namespace it runs in, set up as the daemon does; far0 is moved to another.
// Usage: tun-pair.ts FAR_NAMESPACE; prints "ready"; after each line on its input prints what it saw as JSON.
import { execFileSync } from 'node:child_process';
import { parseAddress } from '../../../base/address.ts';
import { readU16BE } from '../../../base/bytes.ts';
import { parseCidr } from '../../../base/range.ts';
import { repairHost } from '../../../ground/host-kernel.io.ts';
import { applyRules } from '../../../linux/nftables.io.ts';
import { RouteClient } from '../../../linux/rtnetlink/route-client.io.ts';
import { Sysctl } from '../../../linux/sysctl.io.ts';
import { openTun, type Tun } from '../../../native/tun.ts';
import { VNET_HEADER_LENGTH } from '../../../router/packet/vnet-header.ts';

const OWN = {
  tun: 'weft0',
  podPrefix: 'wv',
  ranges: [parseCidr('10.32.0.0/12')!, parseCidr('fd00:77::/64')!],
};
const seen = {
  frames: 0,
  batches: 0,
  longest: 0,
  partialChecksums: 0,
  superPackets: 0,
  refused: 0,
  mss: [] as number[],
};

const near = openTun('weft0');
await applyRules({ ...OWN, masquerade: true, port: 6783 });
await repairHost(
  { client: RouteClient.open(), sysctl: new Sysctl() },
  { ...OWN, addresses: [parseAddress('10.32.0.1')!, parseAddress('fd00:77::1')!], mtu: 1364 },
);
const far = openTun('far0', { persistent: false });
execFileSync('ip', ['link', 'set', 'far0', 'netns', process.argv[2]!]);
pump(near, far);
pump(far, near);
process.stdin.on('data', () => console.log(JSON.stringify({ ...seen, near: near.offloads })));
process.stdin.on('end', () => process.exit(0));
console.log('ready');

function pump(from: Tun, to: Tun): void {
  const onBatch = (buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number): void => {
    seen.batches++;
    for (let i = 0; i < count; i++) {
      const frame = buffer.subarray(offsets[i]!, offsets[i]! + lengths[i]!);
      observe(frame);
      if (to.write(frame) !== frame.length) seen.refused++;
    }
  };
  from.start(onBatch, (error) => console.error(error.line));
}

function observe(frame: Uint8Array): void {
  seen.frames++;
  seen.longest = Math.max(seen.longest, frame.length - VNET_HEADER_LENGTH);
  if ((frame[0]! & 1) !== 0) seen.partialChecksums++;
  if (frame[1] !== 0) seen.superPackets++;
  const ip = frame.subarray(VNET_HEADER_LENGTH);
  const [header, protocol] = ip[0]! >> 4 === 4 ? [20, ip[9]] : [40, ip[6]];
  const isSyn = protocol === 6 && (ip[header + 13]! & 0x02) !== 0;
  if (isSyn && ip[header + 20] === 2) seen.mss.push(readU16BE(ip, header + 22));
}
