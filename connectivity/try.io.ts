import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { connect, isIPv6 } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '../base/printable.ts';
import { CANARIES } from '../doctor/canary.ts';
import { probeSize } from '../host/size-probe.io.ts';
import { probeTcp } from '../host/tcp-probe.io.ts';
import { setPathMtuDiscovery, udpDescriptor } from '../native/socket-options.ts';
import { type Check, CLOSED_PORT, type Outcome, type Try } from './check.ts';

/** One attempt. */
const ATTEMPT_MS = 2_000;
/** A megabyte may take longer over a slow way. */
const BULK_MS = 10_000;
const BULK_BYTES = 1_000_000;
/** A server or a rule may come a moment later; who has had so many attempts is not reached. */
const ATTEMPTS = 5;
const BETWEEN_MS = 500;
/** Whoever must not get through is tried once more than once: the rule may be gone by then. */
const CLOSED_ATTEMPTS = 2;
const UDP_HEADER_BYTES = 8;
const IP_HEADER_BYTES = { 4: 20, 6: 40 } as const;

/** Tries it from here, several times where it fails. Never rejects. */
export async function tryCheck({ name, what }: Check): Promise<Outcome> {
  if (what.kind === 'closed') return { name, ...(await tryClosed(what)) };
  let seen = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (attempt > 1) await delay(BETWEEN_MS);
    try {
      return { name, isWell: true, seen: await ACT[what.kind](what as never) };
    } catch (error) {
      seen = printable(error instanceof Error ? error.message : String(error), 200);
    }
  }
  return { name, isWell: false, seen: `${seen} (tried ${ATTEMPTS} times)` };
}

type Of<Kind extends Try['kind']> = Extract<Try, { readonly kind: Kind }>;

/** Each resolves with what was seen, and rejects with why it is not well. */
const ACT: { readonly [Kind in Exclude<Try['kind'], 'closed'>]: (what: Of<Kind>) => Promise<string> } = {
  tcp: async ({ to, port }) => {
    const started = performance.now();
    await echoed(to, port, randomBytes(32), ATTEMPT_MS);
    return `answered in ${took(started)}`;
  },
  bulk: async ({ to, port }) => {
    const started = performance.now();
    await echoed(to, port, randomBytes(BULK_BYTES), BULK_MS);
    return `there and back in ${took(started)}`;
  },
  reach: async ({ to, port }) => {
    const { outcome } = await probeTcp(to, port, ATTEMPT_MS);
    if (outcome === 'open' || outcome === 'refused') return `${to} answers`;
    throw new Error(outcome === 'silent' ? `${to} does not answer` : `no way leads to ${to}`);
  },
  udp: async ({ to, port }) => {
    const started = performance.now();
    await datagramEchoed(to, port, randomBytes(32));
    return `answered in ${took(started)}`;
  },
  size: async ({ to, port }) => {
    const bytes = interfaceMtu();
    const isTaken = await datagramEchoed(to, port, randomBytes(payloadOf(to, bytes)));
    return isTaken ? `packets of ${bytes} bytes pass, there and back` : tooBig(bytes);
  },
  'size-one-way': async ({ to }) => {
    const bytes = interfaceMtu();
    const outcome = await probeSize(to, bytes, ATTEMPT_MS);
    if (outcome === 'silent')
      throw new Error(`packets of ${bytes} bytes are lost, and nobody tells the pod (ICMP)`);
    return outcome === 'answered' ? `packets of ${bytes} bytes pass` : tooBig(bytes);
  },
  name: async ({ name }) => {
    const found = await lookup(name, { all: true }).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`${name} has no address (${error.code ?? error.message})`);
    });
    return `${name} is ${found.map(({ address }) => address).join(', ')}`;
  },
  mark: async ({ to, marker }) => {
    for (const address of to) await sendMarks(address, Buffer.from(marker, 'hex'));
    return `sent ${CANARIES * to.length} packets`;
  },
};

async function tryClosed({ to, port }: Of<'closed'>): Promise<Omit<Outcome, 'name'>> {
  for (let attempt = 0; attempt < CLOSED_ATTEMPTS; attempt++) {
    const { outcome } = await probeTcp(to, port, ATTEMPT_MS);
    if (outcome === 'open') return { isWell: false, seen: `${to} takes connections at port ${port}` };
  }
  return { isWell: true, seen: `${to} takes no connection at port ${port}` };
}

/** Sends `bytes` and takes as many back; rejects where they differ. */
function echoed(to: string, port: number, bytes: Uint8Array, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const hash = createHash('sha256');
    let received = 0;
    const socket = connect({ host: to, port });
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(why));
    };
    const timer = setTimeout(() => {
      fail(
        received === 0
          ? `${to} does not answer at port ${port}`
          : `${received} of ${bytes.length} bytes came back in time`,
      );
    }, timeoutMs);
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (part) => {
      hash.update(part);
      received += part.length;
      if (received < bytes.length) return;
      const isSame = hash.digest().equals(createHash('sha256').update(bytes).digest());
      if (!isSame) return fail('other bytes came back than were sent');
      clearTimeout(timer);
      socket.destroy();
      resolve();
    });
    socket.on('error', ({ code, message }: NodeJS.ErrnoException) =>
      fail(`${to} port ${port}: ${code ?? message}`),
    );
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error(`${to} ended the connection`));
    });
  });
}

/**
 * One datagram that nobody may fragment; the same bytes must come back. False where the way is too narrow for it, which
 * whoever sends is told.
 */
async function datagramEchoed(to: string, port: number, bytes: Uint8Array): Promise<boolean> {
  const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4');
  try {
    return await new Promise<boolean>((resolve, reject) => {
      const fail = ({ code, message }: NodeJS.ErrnoException): void => {
        clearTimeout(timer);
        if (code === 'EMSGSIZE') resolve(false);
        else reject(new Error(`${to} port ${port}: ${code ?? message}`));
      };
      const lost = `${to} does not give back ${bytes.length} bytes at port ${port}`;
      const timer = setTimeout(() => fail(new Error(lost)), ATTEMPT_MS);
      socket.on('error', fail);
      socket.on('message', (answer) => {
        if (!answer.equals(bytes)) return;
        clearTimeout(timer);
        resolve(true);
      });
      socket.connect(port, to, () => {
        dontFragment(socket, to);
        socket.send(bytes, (error) => error && fail(error));
      });
    });
  } finally {
    socket.on('error', () => {});
    socket.close();
  }
}

function dontFragment(socket: UdpSocket, to: string): void {
  const descriptor = udpDescriptor(socket);
  if (descriptor !== undefined) setPathMtuDiscovery(descriptor, isIPv6(to) ? 6 : 4, 'do');
}

function sendMarks(to: string, marker: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4');
    socket.on('error', () => {});
    let left = CANARIES;
    for (let i = 0; i < CANARIES; i++) {
      socket.send(marker, CLOSED_PORT, to, () => {
        if (--left === 0) socket.close(() => resolve());
      });
    }
  });
}

/** Of the interface that a pod has. */
function interfaceMtu(): number {
  return Number(readFileSync('/sys/class/net/eth0/mtu', 'utf8'));
}

function payloadOf(to: string, bytes: number): number {
  return bytes - IP_HEADER_BYTES[isIPv6(to) ? 6 : 4] - UDP_HEADER_BYTES;
}

/** No fault: connections go on with smaller ones. */
function tooBig(bytes: number): string {
  return `packets of ${bytes} bytes are too big for the way, which the pod is told (ICMP)`;
}

function took(startedAt: number): string {
  return `${(performance.now() - startedAt).toFixed(1)} ms`;
}
