/**
 * Numbered datagrams between two of these at a steady pace, both ways, to see how many a network loses and for how long it
 * carries none.
 *
 *   udp-probe.ts ADDRESS PEER_ADDRESS PORT PER_SECOND
 *
 * Says `hears` once it has heard the other one. At SIGTERM it stops sending, listens for what is still under way, and prints
 * what it saw as JSON.
 */
import { addressBytes, parseAddress } from '../../../base/address.ts';
import { readU64LE, writeU64LE } from '../../../base/bytes.ts';
import { setSocketBuffers } from '../../../native/socket-options.ts';
import { openUdp, UDP_SLOT_BYTES, UDP_WORDS } from '../../../native/udp.ts';

const LENGTH = 64;
const HELLO_EVERY_MS = 20;
const BUFFER_BYTES = 32 * 1024 * 1024;
/** What is under way when both have stopped. */
const LAST_MS = 1_000;
/** Runs of datagrams that did not come, as many as are told. */
const MISSING_TOLD = 5;
/** A datagram without a number only says that its sender is there. */
const HELLO = 0;

const [own = '', peer = '', port = '', perSecond = ''] = process.argv.slice(2);
const socket = openUdp(own, Number(port));
setSocketBuffers(socket.descriptor, BUFFER_BYTES);
const target = addressBytes(parseAddress(peer)!);
/** number u64, time of sending in µs u64 of CLOCK_MONOTONIC, which all processes of a host share */
const out = new Uint8Array(LENGTH);

const seen = new Set<number>();
let sent = 0;
let unsent = 0;
let twice = 0;
let lastAt: number | undefined;
let longestGapMs = 0;
let longestDelayMs = 0;
let heard = false;
let sending: NodeJS.Timeout | undefined;

const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

socket.start(
  (buffer, words, count) => {
    for (let i = 0; i < count; i++) {
      const length = words[i * UDP_WORDS]!;
      const segment = words[i * UDP_WORDS + 1]! || length;
      for (let at = 0; at < length; at += segment) take(buffer, i * UDP_SLOT_BYTES + at);
    }
  },
  () => undefined,
  () => undefined,
);
const greeting = setInterval(() => send(HELLO), HELLO_EVERY_MS);

function take(buffer: Uint8Array, at: number): void {
  if (!heard) begin();
  const number = readU64LE(buffer, at);
  if (number === HELLO) return;
  const now = nowMs();
  if (seen.has(number)) twice++;
  seen.add(number);
  longestGapMs = Math.max(longestGapMs, now - (lastAt ?? now));
  lastAt = now;
  longestDelayMs = Math.max(longestDelayMs, now - readU64LE(buffer, at + 8) / 1000);
}

function begin(): void {
  heard = true;
  console.log('hears');
  // The other one has not heard us for certain: a few more greetings.
  setTimeout(() => clearInterval(greeting), 10 * HELLO_EVERY_MS);
  const begunAt = nowMs();
  sending = setInterval(() => {
    const due = Math.floor(((nowMs() - begunAt) / 1000) * Number(perSecond));
    while (sent + unsent < due) send(sent + unsent + 1);
  }, 1);
}

function send(number: number): void {
  writeU64LE(out, 0, number);
  writeU64LE(out, 8, Math.round(nowMs() * 1000));
  const outcome = socket.send(target, Number(port), out, LENGTH, LENGTH, 0);
  if (number === HELLO) return;
  if (outcome === LENGTH) sent++;
  else unsent++;
}

/** The first runs of numbers that did not come, each as its beginning and its length. */
function missing(): [number, number][] {
  const runs: [number, number][] = [];
  const numbers = [...seen].sort((a, b) => a - b);
  for (const [i, number] of numbers.entries()) {
    const before = numbers[i - 1] ?? 0;
    if (number > before + 1) runs.push([before + 1, number - before - 1]);
  }
  return runs.slice(0, MISSING_TOLD);
}

process.once('SIGTERM', () => {
  clearInterval(sending);
  clearInterval(greeting);
  setTimeout(() => {
    const rounded = (value: number): number => Math.round(value * 10) / 10;
    const seenAll = { sent, unsent, received: seen.size, twice, missing: missing() };
    console.log(
      JSON.stringify({
        ...seenAll,
        longestGapMs: rounded(longestGapMs),
        longestDelayMs: rounded(longestDelayMs),
      }),
    );
    process.exit(0);
  }, LAST_MS);
});
