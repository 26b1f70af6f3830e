import { concat, equalBytes, fromHex, hex, utf8 } from '../base/bytes.ts';
import type { Aead } from './aead.ts';
import { NONCE_LENGTH, TAG_LENGTH } from './aead-engine.ts';
import type { Suite } from './suite.ts';

/** A message and what becomes of it in others' hands; all as hex but for the text. */
interface KnownAnswer {
  /** Where it is published, or whose answer it is. */
  readonly source: string;
  readonly key: string;
  readonly nonce: string;
  readonly aad: string;
  readonly text: Uint8Array;
  /** Ciphertext ‖ tag; of a long text its tag alone, which speaks for all of the ciphertext. */
  readonly sealed: string;
}

const COUNTING = Uint8Array.from({ length: 32 }, (_, i) => i);
/** As long as a packet: libraries have other code for long texts than for short ones. */
const LONG_TEXT = Uint8Array.from({ length: 1400 }, (_, i) => (i * 7) & 255);

function longAnswer(source: string, tag: string): KnownAnswer {
  const counting = (length: number): string => hex(COUNTING.subarray(0, length));
  return { source, key: counting(32), nonce: counting(12), aad: counting(16), text: LONG_TEXT, sealed: tag };
}

const KNOWN_ANSWERS: Readonly<Record<Suite, readonly KnownAnswer[]>> = {
  'chacha20-poly1305': [
    {
      source: 'RFC 8439 §2.8.2',
      key: '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f',
      nonce: '070000004041424344454647',
      aad: '50515253c0c1c2c3c4c5c6c7',
      text: utf8(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
      ),
      sealed:
        'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b' +
        '1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
        '3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
    },
    longAnswer('libsodium', '7d60a2e216cf63949d3003c3ca429e23'),
  ],
  'aes-256-gcm': [
    {
      source: 'test case 16 of the GCM specification (McGrew, Viega)',
      key: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
      nonce: 'cafebabefacedbaddecaf888',
      aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
      text: fromHex(
        'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525' +
          'b16aedf5aa0de657ba637b39',
      )!,
      sealed:
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838' +
        'c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
    },
    longAnswer('Nettle', '7f58a5e91b7acc132b6133a6cbe6c4d4'),
  ],
};

/**
 * What is wrong with the answers of an engine of `suite`, as the end of "because …"; undefined where all are right:
 * it seals as published, opens what it sealed, refuses a bit that was turned, and does with a run of packets what it
 * does with each alone. `create` makes an AEAD of a key of 32 bytes.
 */
export function knownAnswerFault(suite: Suite, create: (key: Uint8Array) => Aead): string | undefined {
  for (const { source, key, nonce, aad, text, sealed } of KNOWN_ANSWERS[suite]) {
    const [n, a, expected] = [fromHex(nonce)!, fromHex(aad)!, fromHex(sealed)!];
    const aead = create(fromHex(key)!);
    try {
      const out = aead.seal(n, a, text);
      if (!equalBytes(out.subarray(out.length - expected.length), expected)) {
        return `it does not seal as ${source} says`;
      }
      const opened = aead.open(n, a, out);
      if (opened === undefined || !equalBytes(opened, text)) return 'it does not open what it sealed';
      out[out.length >> 1]! ^= 1;
      if (aead.open(n, a, out) !== undefined) return 'it opens what was changed on the way';
    } finally {
      aead.erase();
    }
  }
  return runFault(create);
}

/** Bytes of the clear part, and of each packet but the last, of the run that is tried. */
const CLEAR = 16;
const SEGMENT = 160;

/** A run over the end of a byte of the counter: three packets, the last of them shorter. */
function runFault(create: (key: Uint8Array) => Aead): string | undefined {
  const bytes = new Uint8Array(3 * SEGMENT - 50).fill(0x5a);
  const run = { bytes, at: 0, length: bytes.length, segment: SEGMENT, aadLength: CLEAR };
  const first = 255;
  const aead = create(COUNTING);
  try {
    const singly = [0, 1, 2].map((i) => {
      const packet = bytes.slice(i * SEGMENT, (i + 1) * SEGMENT);
      const clear = packet.subarray(0, CLEAR);
      const nonce = new Uint8Array(NONCE_LENGTH);
      nonce.set([(first + i) & 255, (first + i) >> 8], NONCE_LENGTH - 8);
      return concat(clear, aead.seal(nonce, clear, packet.subarray(CLEAR, packet.length - TAG_LENGTH)));
    });
    aead.sealRun(first, run);
    if (!equalBytes(bytes, concat(...singly))) return 'it does not seal a run as it seals single packets';
    bytes[bytes.length - 1]! ^= 1;
    if (aead.openRun(first, run) !== 2) return 'it does not tell which packets of a run are sound';
    return bytes.subarray(CLEAR, SEGMENT - TAG_LENGTH).every((byte) => byte === 0x5a)
      ? undefined
      : 'it does not open the run that it sealed';
  } finally {
    aead.erase();
  }
}
