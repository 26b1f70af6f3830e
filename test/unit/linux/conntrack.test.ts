import { deepEqual, equal } from 'node:assert/strict';
import { addressFromBytes, formatAddress } from '../../../base/address.ts';
import { concat, fromHex, hex } from '../../../base/bytes.ts';
import { type ConntrackMessage, ConntrackReader, dumpConntrack } from '../../../linux/conntrack.ts';

/** As the kernel (6.18) sent it: a TCP connection to 10.96.0.10:80 begins, which nftables sends to 10.99.0.2:8080. */
const NEW_DNAT =
  'd0000000000100060000000000000000020000003400018014000180080001000a630001080002000a60000a1c0002800500' +
  '010006000000060002009b76000006000300005000003400028014000180080001000a630002080002000a6300011c000280' +
  '0500010006000000060002001f900000060003009b76000008000c00fa7cde3f08000300000001a808000700000000783000' +
  '04802c0001800500010001000000050002000a0000000500030000000000060004000300000006000500000000000c001b00' +
  '18ec9695b6036248';
/** Its end, with `nf_conntrack_acct` and `nf_conntrack_timestamp`. */
const END_DNAT =
  'fc000000020100000000000000000000020000003400018014000180080001000a630001080002000a60000a1c0002800500' +
  '010006000000060002009b76000006000300005000003400028014000180080001000a630002080002000a6300011c000280' +
  '0500010006000000060002001f900000060003009b76000008000c00fa7cde3f08000300000003ae1c0009800c0001000000' +
  '0000000000060c00020000000000000001461c000a800c00010000000000000000040c00020000000000000000de1c001480' +
  '0c00010018ec9695b6039e190c00020018ec9695f1fa84a0100004800c00018005000100070000000c001b0018ec9696c8cb' +
  '33a8';
/** UDP over IPv6 begins. */
const NEW_UDP6 =
  'd00000000001000600000000000000000a0000004c0001802c00018014000300fd9900000000000000000000000000011400' +
  '0400fd9900000000000000000000000000021c000280050001001100000006000200c16300000600030014e900004c000280' +
  '2c00018014000300fd99000000000000000000000000000214000400fd9900000000000000000000000000011c0002800500' +
  '0100110000000600020014e9000006000300c163000008000c008a252286080003000000000808000700000000020c001b00' +
  '18ec9695b689d6a7';
/** A ping, in the answer to a dump, and the end of that dump. */
const LIVE_PING =
  'fc0000000001020007000000a3700000020000003c00018014000180080001000a630001080002000a630002240002800500' +
  '01000100000006000400710e0000050005000800000005000600000000003c00028014000180080001000a63000208000200' +
  '0a63000124000280050001000100000006000400710e000005000500000000000500060000000000080003000000018a0800' +
  '08000000000008000c00303c603d08000b000000000108000700000000191c0009800c00010000000000000000010c000200' +
  '00000000000000541c000a800c00010000000000000000010c0002000000000000000054100014800c00010018ec9695d4b2' +
  'db07';
const DUMP_DONE = '140000000300020007000000a370000000000000';

function read(...texts: readonly string[]) {
  const told: object[] = [];
  const ends = new ConntrackReader().read(concat(...texts.map((text) => fromHex(text)!)), (message) =>
    told.push(plain(message)),
  );
  return { told, ends };
}

/** `message` with its addresses as text. */
function plain({ bytes, original, reply, ...rest }: ConntrackMessage): object {
  const end = (at: number, port: number): string => {
    const address = addressFromBytes(bytes.subarray(at, at + (rest.family === 4 ? 4 : 16)));
    return `${formatAddress(address!)} ${port}`;
  };
  const tuple = (each: typeof original): string =>
    `${end(each.source, each.sourcePort)} > ${end(each.destination, each.destinationPort)}`;
  return { ...rest, original: tuple(original), reply: tuple(reply) };
}

const UNCOUNTED = { packets: -1, bytes: -1 };

describe('connection tracking', () => {
  it('is asked for all connections', () => {
    equal(hex(dumpConntrack(7)), '14000000' + '0101' + '0103' + '07000000' + '00000000' + '00000000');
  });

  it('tells a beginning with where the client sent it and where it went', () => {
    deepEqual(read(NEW_DNAT).told, [
      {
        kind: 'new',
        id: 0xfa7cde3f,
        family: 4,
        protocol: 6,
        isReplied: false,
        sent: UNCOUNTED,
        received: UNCOUNTED,
        startedAtMs: -1,
        endedAtMs: -1,
        original: '10.99.0.1 39798 > 10.96.0.10 80',
        reply: '10.99.0.2 8080 > 10.99.0.1 39798',
      },
    ]);
  });

  it('tells an end with what was counted and when', () => {
    const [end] = read(END_DNAT).told as { kind: string; isReplied: boolean }[];
    deepEqual(end, {
      kind: 'end',
      id: 0xfa7cde3f,
      family: 4,
      protocol: 6,
      isReplied: true,
      sent: { packets: 6, bytes: 326 },
      received: { packets: 4, bytes: 222 },
      startedAtMs: 1795975921161,
      endedAtMs: 1795975922168,
      original: '10.99.0.1 39798 > 10.96.0.10 80',
      reply: '10.99.0.2 8080 > 10.99.0.1 39798',
    });
  });

  it('tells IPv6, protocols without ports, dumps and their end, several in a datagram', () => {
    const { told, ends } = read(NEW_UDP6, LIVE_PING, DUMP_DONE);
    deepEqual(
      (told as { kind: string; original: string }[]).map(({ kind, original }) => `${kind} ${original}`),
      ['new fd99::1 49507 > fd99::2 5353', 'live 10.99.0.1 -1 > 10.99.0.2 -1'],
    );
    deepEqual(ends, [{ sequence: 7, errno: 0 }]);
  });

  it('tells that a dump was refused', () => {
    const busy = `24000000020000000900000000000000f0ffffff${'00'.repeat(16)}`;
    deepEqual(read(busy).ends, [{ sequence: 9, errno: 16 }]);
  });

  it('passes over what is cut, malformed or of another kind', () => {
    const whole = fromHex(NEW_DNAT)!;
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.slice(0, length);
      new ConntrackReader().read(cut, () => {
        throw new Error(`told of ${length} bytes`);
      });
    }
    const otherFamily = NEW_DNAT.replace('000000000200', '000000000700');
    const withoutId = NEW_DNAT.replace('08000c00fa7cde3f', '08000f00fa7cde3f');
    const hugeAttribute = NEW_DNAT.replace('34000180', 'ff7f0180');
    for (const text of [otherFamily, withoutId, hugeAttribute, DUMP_DONE.replace('0300', '0a00')])
      deepEqual(read(text), { told: [], ends: [] });
  });
});
