import { concat, readU64LE, writeU64LE } from '../../base/bytes.ts';
import { parsePeerId } from '../../base/peer-id.ts';
import {
  isWellFormedRecord,
  SIGNATURE_LENGTH,
  type SignedRecord,
  SLOTS,
  type Slot,
} from '../../gossip/model/record.ts';
import type { IpamStore } from '../../ipam/model/store.ts';

/**
 * Where the newest record of each peer waits for the next start, so that a node that restarts knows its peers
 * without asking. It shares the node's one store, and with it the one fsync a batch: what is put here is durable
 * after the store's `flush()`.
 *
 * Key `record/<origin>/<slot>`, value
 *
 * ```
 *   0         1          9             17              81
 *   | form: 1 | epoch LE | sequence LE | signature 64  | payload …
 * ```
 */
export class KeptRecords {
  readonly #store: Pick<IpamStore, 'put' | 'remove' | 'entries'>;

  constructor(store: Pick<IpamStore, 'put' | 'remove' | 'entries'>) {
    this.#store = store;
  }

  /** Keeps `record` in place of the one of the same origin and slot. */
  put(record: SignedRecord): void {
    const head = new Uint8Array(HEAD_LENGTH);
    head[0] = FORM;
    writeU64LE(head, 1, record.epoch);
    writeU64LE(head, 9, record.sequence);
    this.#store.put(keyOf(record), concat(head, record.signature, record.payload));
  }

  /** Forgets the record of that origin and slot, if there is one. */
  remove(record: Pick<SignedRecord, 'origin' | 'slot'>): void {
    this.#store.remove(keyOf(record));
  }

  /**
   * All records, in the order of their keys. What is damaged is left out: its origin will send it again. Signatures
   * are not checked here; gossip checks whatever is restored.
   */
  all(): SignedRecord[] {
    const found: SignedRecord[] = [];
    for (const [key, value] of this.#store.entries(PREFIX)) {
      const record = decode(key, value);
      if (record && isWellFormedRecord(record)) found.push(record);
    }
    return found;
  }
}

const PREFIX = 'record/';
const FORM = 1;
const HEAD_LENGTH = 17;

function keyOf(record: Pick<SignedRecord, 'origin' | 'slot'>): string {
  return `${PREFIX}${record.origin}/${record.slot}`;
}

function decode(key: string, value: Uint8Array): SignedRecord | undefined {
  const [originText = '', slotText, ...rest] = key.slice(PREFIX.length).split('/');
  const origin = parsePeerId(originText);
  const slot = SLOTS.find((each: Slot) => each === slotText);
  const payloadAt = HEAD_LENGTH + SIGNATURE_LENGTH;
  if (!origin || !slot || rest.length > 0 || value[0] !== FORM || value.length < payloadAt) return undefined;
  return {
    origin,
    slot,
    epoch: readU64LE(value, 1),
    sequence: readU64LE(value, 9),
    signature: value.slice(HEAD_LENGTH, payloadAt),
    payload: value.slice(payloadAt),
  };
}
