import type { Counters } from '../base/counters.ts';
import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { RandomSource } from '../base/random.ts';
import type { Gossip } from '../gossip/gossip.ts';
import type { Ipam } from '../ipam/ipam.ts';
import type { TunnelEvent } from '../router/tunnel/tunnel-status.ts';
import type { Tunnels } from '../router/tunnel/tunnels.ts';
import type { NodeCounter } from './node-counters.ts';
import { PeerQuestions } from './peer-questions.ts';

/** Channels of opaque control messages over a tunnel (docs/wire.md). */
export const CHANNELS = { swim: 1, ipam: 2, questions: 3, probes: 4 } as const;
type Channel = keyof typeof CHANNELS;

interface NodeMessagesOptions {
  readonly tunnels: Pick<Tunnels, 'sendControl' | 'status'>;
  readonly gossip: Pick<Gossip, 'sendMessage' | 'handlePacket'>;
  readonly ipam: Pick<Ipam, 'handleMessage'>;
  readonly random: RandomSource;
  readonly counters: Counters<NodeCounter>;
  /** A peer says something about a probe of `weft why`. */
  readonly onProbe: (from: PeerId, bytes: Uint8Array) => void;
}

/** Messages between the cores of nodes: which of them goes by which way, and who takes what comes. */
export class NodeMessages {
  readonly questions: PeerQuestions;
  readonly #options: NodeMessagesOptions;

  constructor(options: NodeMessagesOptions) {
    this.#options = options;
    const { random, counters } = options;
    this.questions = new PeerQuestions({
      random,
      counters,
      send: (to, bytes, now) => this.send('questions', to, bytes, now),
    });
  }

  /** By the tunnel; it may be lost. */
  send(channel: Channel, to: PeerId, bytes: Uint8Array, now: Instant): void {
    this.#options.tunnels.sendControl(to, CHANNELS[channel], bytes, now);
  }

  /** By the tunnel; over a control link where none stands yet, or UDP does not get through. */
  sendToIpam(to: PeerId, bytes: Uint8Array, now: Instant): void {
    const { tunnels, gossip } = this.#options;
    const stands = tunnels.status(to)?.state === 'established';
    if (!stands && gossip.sendMessage(to, bytes, now)) return;
    this.send('ipam', to, bytes, now);
  }

  receive({ channel, from, bytes }: Extract<TunnelEvent, { type: 'message' }>, now: Instant): void {
    const { gossip, ipam, counters, onProbe } = this.#options;
    if (channel === CHANNELS.swim) gossip.handlePacket(from, bytes, now);
    else if (channel === CHANNELS.ipam) ipam.handleMessage(from, bytes, now);
    else if (channel === CHANNELS.questions) this.questions.handle(from, bytes, now);
    else if (channel === CHANNELS.probes) onProbe(from, bytes);
    else counters.add('node.unknownChannel');
  }
}
