/**
 * A daemon that does CNI and nothing else: CniPlugin on the real kernel behind the real control socket, with a pool
 * in one JSON file instead of the ring. The CNI tests run against it; see cni-suite.ts.
 *
 *   cni-daemon.ts RUN_DIR CAPACITY ALLOCATE_DELAY_MS
 *
 * Prints one line of JSON, the start report, when it serves.
 */
import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../../base/address.ts';
import { utf8, utf8Text } from '../../base/bytes.ts';
import { Counters } from '../../base/counters.ts';
import type { PodAddresses } from '../../cni/attachment.ts';
import { CNI_COUNTERS } from '../../cni/cni-counters.ts';
import { DeletionFolder } from '../../cni/deletion-spool.io.ts';
import { CNI_CODE, CniFault } from '../../cni/fault.ts';
import { type AttachmentKey, keyText } from '../../cni/key.ts';
import type { AddressPool, PoolState } from '../../cni/needs.ts';
import { CniPlugin } from '../../cni/plugin.ts';
import { KernelPodNetwork } from '../../cni/pod-link/pod-network.io.ts';
import { LocalSocket } from '../../native/local-socket.ts';

interface Entry {
  readonly key: AttachmentKey;
  readonly number: number;
}

/** Deals 10.32.0.1 … and fd00:32::1 … up to a capacity, round robin. */
class FilePool implements AddressPool {
  readonly #file: string;
  readonly #capacity: number;
  readonly #delayMs: number;
  readonly #entryByKey = new Map<string, Entry>();
  #last = 0;

  constructor(file: string, capacity: number, delayMs: number) {
    this.#file = file;
    this.#capacity = capacity;
    this.#delayMs = delayMs;
    try {
      const saved = JSON.parse(readFileSync(file, 'utf8')) as { last: number; entries: Entry[] };
      this.#last = saved.last;
      for (const entry of saved.entries) this.#entryByKey.set(keyText(entry.key), entry);
    } catch {
      // The first start.
    }
  }

  async allocate(key: AttachmentKey, signal: AbortSignal): Promise<PodAddresses> {
    if (this.#delayMs > 0) await delay(this.#delayMs, undefined, { signal });
    let entry = this.#entryByKey.get(keyText(key));
    if (!entry) {
      if (this.#entryByKey.size >= this.#capacity)
        throw new CniFault(CNI_CODE.tryLater, 'no address is free');
      const taken = new Set([...this.#entryByKey.values()].map(({ number }) => number));
      do this.#last = (this.#last % (this.#capacity + 1)) + 1;
      while (taken.has(this.#last));
      entry = { key, number: this.#last };
      this.#entryByKey.set(keyText(key), entry);
      this.#save();
    }
    return addresses(entry);
  }

  async release(key: AttachmentKey): Promise<void> {
    if (this.#entryByKey.delete(keyText(key))) this.#save();
  }

  keys(): AttachmentKey[] {
    return [...this.#entryByKey.values()].map(({ key }) => key);
  }

  addressesOf(key: AttachmentKey): PodAddresses | undefined {
    const entry = this.#entryByKey.get(keyText(key));
    return entry && addresses(entry);
  }

  state(): PoolState {
    const full = this.#entryByKey.size >= this.#capacity;
    return full ? { ready: false, reason: 'no address is free' } : { ready: true };
  }

  #save(): void {
    const saved = { last: this.#last, entries: [...this.#entryByKey.values()] };
    writeFileSync(`${this.#file}.new`, JSON.stringify(saved));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function addresses({ number }: Entry): PodAddresses {
  const v4 = parseAddress(`10.32.${number >> 8}.${number & 255}`);
  const v6 = parseAddress(`fd00:32::${number.toString(16)}`);
  assert.ok(v4 && v6);
  return { v4, v6 };
}

const [runDir, capacity, delayMs] = process.argv.slice(2);
assert.ok(runDir !== undefined && capacity !== undefined && delayMs !== undefined);
const pool = new FilePool(join(runDir, 'pool.json'), Number(capacity), Number(delayMs));
const network = KernelPodNetwork.open();
const counters = new Counters(CNI_COUNTERS);
const plugin = new CniPlugin({
  pool,
  network,
  spool: new DeletionFolder(runDir),
  counters,
  timeout: (ms) => AbortSignal.timeout(ms),
  mtu: () => 1364,
});

const socket = LocalSocket.listen(join(runDir, 'weft.sock'), (request) => {
  const text = utf8Text(request.bytes);
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch {
    request.drop();
    return;
  }
  const reply = (answer: unknown): boolean => request.answer(utf8(JSON.stringify(answer)));
  const { op } = value as { op?: unknown };
  if (op === 'cni') void plugin.handle(value, request.fds).then(reply);
  else if (op === 'allocations') {
    const allocations = pool
      .keys()
      .map((key) => ({ ...key, number: pool.addressesOf(key)?.v4?.value.toString() }));
    reply({ ok: true, result: { allocations, counters: counters.snapshot() } });
  } else reply({ ok: false, error: { code: 'E_UNKNOWN_OP', message: 'unknown request', remedy: 'update' } });
});
process.once('SIGTERM', () => {
  // New shims wait for whoever comes next; those under way get their answers.
  rmSync(join(runDir, 'weft.sock'), { force: true });
  void plugin.settled().then(() => {
    setImmediate(() => {
      socket.close();
      process.exit(0);
    });
  });
});
process.stdout.write(`${JSON.stringify(await plugin.start())}\n`);
