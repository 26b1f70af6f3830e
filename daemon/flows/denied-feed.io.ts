import { setTimeout as delay } from 'node:timers/promises';
import { addressBytes, parseAddress } from '../../base/address.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { WeftError } from '../../base/weft-error.ts';
import { askNpc } from '../../control/ask-npc.io.ts';
import { DENIED_WAIT_MS, type DeniedPacketStatus } from '../../control/npc-request.ts';
import type { AddressOwners } from '../../flows/address-owners.ts';
import type { FlowDrop } from '../../flows/flow.ts';

/** A weft-npc that does not answer is asked again after this. */
const AWAY_MS = 3_000;
const TIMEOUT_MS = DENIED_WAIT_MS + 3_000;

/** Asks weft-npc for the packets that policies deny, from {@link start} to {@link stop}. */
export class DeniedFeed {
  readonly #runDir: string;
  readonly #owners: () => AddressOwners;
  readonly #onDenied: (drops: readonly FlowDrop[], lost: number) => void;
  #running: AbortController | undefined;
  /** What came of the last question; undefined before. */
  #answered: { readonly logged: boolean } | 'silent' | undefined;

  constructor(options: {
    readonly runDir: string;
    readonly owners: () => AddressOwners;
    readonly onDenied: (drops: readonly FlowDrop[], lost: number) => void;
  }) {
    this.#runDir = options.runDir;
    this.#owners = options.owners;
    this.#onDenied = options.onDenied;
  }

  /** Why denied packets are not told; undefined where they are, or that is not known yet. */
  get fault(): string | undefined {
    if (this.#answered === undefined) return undefined;
    if (this.#answered === 'silent') return 'denied packets are not shown: weft-npc does not answer';
    return this.#answered.logged
      ? undefined
      : 'denied packets are not shown: weft-npc runs with --no-drop-log';
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#running = new AbortController();
    void this.#run(this.#running.signal);
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#answered = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let cursor = ''; !signal.aborted; ) {
      try {
        const answer = await askNpc(this.#runDir, { op: 'policyDenied', cursor }, { timeoutMs: TIMEOUT_MS });
        if (signal.aborted) return;
        cursor = answer.cursor;
        this.#answered = { logged: answer.logged };
        if (answer.denied.length > 0 || answer.lost > 0) {
          const owners = this.#owners();
          this.#onDenied(
            answer.denied.map((packet) => dropOf(packet, owners)),
            answer.lost,
          );
        }
      } catch (error) {
        if (!(error instanceof WeftError)) throw error;
        if (signal.aborted) return;
        this.#answered = 'silent';
        cursor = '';
        await delay(AWAY_MS, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }
}

function dropOf(packet: DeniedPacketStatus, owners: AddressOwners): FlowDrop {
  return {
    kind: 'drop',
    atMs: packet.at,
    source: packet.source,
    sourcePort: packet.sourcePort ?? -1,
    target: packet.destination,
    targetPort: packet.destinationPort ?? -1,
    protocol: packet.protocol,
    way: packet.way,
    policies: packet.policies,
    sourceOwner: ownerOf(packet.source, owners),
    targetOwner: ownerOf(packet.destination, owners),
  };
}

function ownerOf(text: string, owners: AddressOwners): PeerId | undefined {
  const address = parseAddress(text);
  if (address === undefined) return undefined;
  return owners.owners[owners.ownerIndex(address.family, addressBytes(address), 0)];
}
