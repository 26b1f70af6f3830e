/**
 * A crowd of peers in one process: each has an identity, a UDP socket, a sleeve and tunnels of its own, makes a tunnel to one
 * node, keeps it, and answers the probes of its failure detector. Nothing else of Weft is in it.
 *
 *   crowd-peers.ts SECRET_FILE STATE_DIR_OF_THE_NODE ENDPOINT_OF_THE_NODE OWN_ADDRESS COUNT
 *
 * Prints `ready` once all tunnels stand.
 */
import { readFileSync } from 'node:fs';
import { Counters } from '../../base/counters.ts';
import { parseEndpoint } from '../../base/endpoint.ts';
import { parseClusterSecret } from '../../crypto/cluster-secret.ts';
import { decodeIdentity } from '../../crypto/identity.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { DAEMON_COUNTERS } from '../../daemon/daemon-counters.ts';
import { decodeSwimPacket, encodeSwimPacket } from '../../gossip/swim/swim-packet.ts';
import { clock } from '../../host/clock.io.ts';
import { CHANNELS } from '../../node/node-messages.ts';
import { SleeveIo } from '../../router/datapath/sleeve/sleeve.io.ts';
import type { Tunnels } from '../../router/tunnel/tunnels.ts';
import { crowdIdentity, crowdPort } from './crowd-identity.ts';
import { tunnelsOver } from './tunnels-over.ts';

const OVERLAY_MTU = 1364;
const TICK_MS = 20;
/** New handshakes in each tick, so that the node answers all at its leisure. */
const BEGUN_A_TICK = 4;

await cryptoReady;
const [secretFile = '', stateDir = '', endpoint = '', address = '', counted = ''] = process.argv.slice(2);
const clusterKeys = parseClusterSecret(readFileSync(secretFile, 'utf8').trim());
const target = decodeIdentity(readFileSync(`${stateDir}/identity`));
const count = Number(counted);

const all: Tunnels[] = [];
for (let i = 0; i < count; i++) all.push(await member(i));
let begun = 0;
let told = false;
setInterval(() => {
  const now = clock();
  for (let more = BEGUN_A_TICK; more > 0 && begun < count; more--) all[begun++]!.want(target.peer, now);
  for (const tunnels of all) {
    const next = tunnels.nextTimeout();
    if (next !== undefined && next <= now) tunnels.tick(now);
    for (let event = tunnels.poll(); event !== undefined; event = tunnels.poll())
      if (event.type === 'message' && event.channel === CHANNELS.swim) answer(tunnels, event.bytes);
  }
  if (told || !all.every((tunnels) => tunnels.status(target.peer)?.state === 'established')) return;
  told = true;
  console.log('ready');
}, TICK_MS);

async function member(i: number): Promise<Tunnels> {
  const identity = crowdIdentity(i);
  const counters = new Counters(DAEMON_COUNTERS);
  const io = await SleeveIo.open({ port: crowdPort(i), listen: [address], counters });
  const { tunnels } = tunnelsOver(io, { identity, clusterKeys, counters, overlayMtu: OVERLAY_MTU });
  const info = { noiseKey: target.noise.publicKey, endpoints: [parseEndpoint(endpoint)!], epoch: 1 };
  tunnels.setPeer(target.peer, info, clock());
  return tunnels;
}

function answer(tunnels: Tunnels, bytes: Uint8Array): void {
  const packet = decodeSwimPacket(bytes);
  if (!packet.ok || (packet.value.kind !== 'ping' && packet.value.kind !== 'ping-req')) return;
  const kind = packet.value.kind === 'ping' ? 'ack' : 'nack';
  const reply = encodeSwimPacket({ kind, number: packet.value.number, rumours: [] });
  tunnels.sendControl(target.peer, CHANNELS.swim, reply, clock());
}
