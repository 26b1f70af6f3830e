import { fromHex, hex, utf8 } from '../base/bytes.ts';
import type { RandomSource } from '../base/random.ts';
import { WeftError } from '../base/weft-error.ts';
import { deriveKey, hkdf } from './hash.ts';
import { erase } from './secret-bytes.ts';

/**
 * What a node derives from the cluster's secret. The secret itself keys nothing and is forgotten at once, and no
 * key here encrypts data: it only admits to handshakes (CVE-2024-28860 is what comes of the opposite).
 */
export interface ClusterKeys {
  /** Names the cluster, 16 bytes, no secret: stands in prologues and in the state folder. */
  readonly clusterId: Uint8Array;
  /** The pre-shared key of all handshakes, 32 bytes. */
  readonly psk: Uint8Array;
  /** What mac1 and cookie keys are derived from, 32 bytes: whoever lacks it gets no answer. */
  readonly mac1Key: Uint8Array;
  /** The 40 random bits of the cluster's own fd00::/8 prefix (RFC 4193 §3.2), 5 bytes, no secret. */
  readonly ula: Uint8Array;
}

/** A secret has at least this many random bytes. */
const SECRET_MIN_BYTES = 32;
/** Secret files beyond this many characters are something else. */
const SECRET_MAX_CHARACTERS = 4096;
/**
 * Fewer different byte values than this and the bytes are no random ones: 32 random bytes come that low with a
 * probability below 2^-40, while words, digits and repetitions do so always.
 */
const SECRET_MIN_DISTINCT = 17;

const EMPTY = new Uint8Array(0);
const NEW_SECRET = 'make one with `weft secret new`';

/**
 * Reads the text of a secret file: one line of hex or base64 (either alphabet, padding optional) that stands for
 * at least 32 random bytes; blank lines around it are ignored. A line of only hex digits is hex.
 * Throws WeftError E_SECRET_FORMAT, E_SECRET_SHORT or E_SECRET_WEAK. No message contains any of the secret.
 */
export function parseClusterSecret(text: string): ClusterKeys {
  const secret = decodeSecret(text);
  if (secret.length < SECRET_MIN_BYTES) {
    throw new WeftError(
      'E_SECRET_SHORT',
      `the cluster secret has ${secret.length} bytes, at least ${SECRET_MIN_BYTES} are needed`,
      NEW_SECRET,
    );
  }
  if (!looksRandom(secret)) {
    throw new WeftError('E_SECRET_WEAK', 'the cluster secret is not random', NEW_SECRET);
  }
  const keys: ClusterKeys = {
    clusterId: deriveKey(secret, utf8('weft cluster id')).slice(0, 16),
    psk: deriveKey(secret, utf8('weft noise psk')),
    mac1Key: deriveKey(secret, utf8('weft mac1')),
    ula: hkdf(EMPTY, secret, utf8('weft ula'), 5),
  };
  erase(secret);
  return keys;
}

/** The text of a new secret: 32 random bytes as 64 hex digits, without a line end. */
export function generateClusterSecret(random: RandomSource): string {
  const bytes = random.bytes(SECRET_MIN_BYTES);
  const text = hex(bytes);
  erase(bytes);
  return text;
}

function decodeSecret(text: string): Uint8Array {
  if (text.length > SECRET_MAX_CHARACTERS) {
    throw formatError(`the cluster secret has more than ${SECRET_MAX_CHARACTERS} characters`);
  }
  const lines = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  if (lines.length === 0) throw formatError('the cluster secret is empty');
  if (lines.length > 1) {
    // Old and new secret side by side belong to rotation, which needs more than this file to be right.
    throw formatError(`the cluster secret has ${lines.length} lines, only one is supported`);
  }
  const bytes = fromHex(lines[0]!) ?? fromBase64(lines[0]!);
  if (bytes === undefined) throw formatError('the cluster secret is neither hex nor base64');
  return bytes;
}

function formatError(message: string): WeftError {
  return new WeftError('E_SECRET_FORMAT', message, NEW_SECRET);
}

function fromBase64(text: string): Uint8Array | undefined {
  const body = /^([A-Za-z0-9+/]*|[A-Za-z0-9_-]*)={0,2}$/.exec(text)?.[1];
  if (body === undefined || body.length % 4 === 1) return undefined;
  const binary = atob(body.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Whether the bytes could be random: enough different values, and not a plain counting up or down. */
function looksRandom(bytes: Uint8Array): boolean {
  const step = (bytes[1]! - bytes[0]!) & 0xff;
  const counting = bytes.every((byte, i) => i === 0 || ((byte - bytes[i - 1]!) & 0xff) === step);
  return !counting && new Set(bytes).size >= SECRET_MIN_DISTINCT;
}
