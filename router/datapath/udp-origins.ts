import type { Address, Family } from '../../base/address.ts';
import { type Endpoint, endpoint } from '../../base/endpoint.ts';

/** Words of an origin: the port, then the address in network order read as numbers; an IPv4 address is the first of four. */
const ORIGIN_WORDS = 5;
/** Endpoints kept; the cache is emptied when it is full. */
const MAX_CACHED_ENDPOINTS = 4096;

/** Names who sent a datagram, as the addon tells it in words, as an {@link Endpoint}, and remembers whom it named. */
export class UdpOrigins {
  readonly #family: Family;
  readonly #endpointByWords = new Map<string, Endpoint | undefined>();
  readonly #last = new Uint32Array(ORIGIN_WORDS);
  #lastEndpoint: Endpoint | undefined;

  constructor(family: Family) {
    this.#family = family;
  }

  /**
   * Who the words from `at` name. Undefined where nothing can be sent to it: port 0, and link-local addresses, whose zone
   * an endpoint cannot tell.
   */
  endpoint(words: Uint32Array, at: number): Endpoint | undefined {
    const last = this.#last;
    let same = true;
    for (let i = 0; i < ORIGIN_WORDS; i++) same &&= words[at + i] === last[i];
    if (same) return this.#lastEndpoint;
    const key = words.subarray(at, at + ORIGIN_WORDS).join(' ');
    let origin = this.#endpointByWords.get(key);
    if (origin === undefined && !this.#endpointByWords.has(key)) {
      origin = originOf(words, at, this.#family);
      if (this.#endpointByWords.size >= MAX_CACHED_ENDPOINTS) this.#endpointByWords.clear();
      this.#endpointByWords.set(key, origin);
    }
    last.set(words.subarray(at, at + ORIGIN_WORDS));
    this.#lastEndpoint = origin;
    return origin;
  }
}

function originOf(words: Uint32Array, at: number, family: Family): Endpoint | undefined {
  const port = words[at]!;
  let value = BigInt(words[at + 1]!);
  if (family === 6) for (let i = 2; i < ORIGIN_WORDS; i++) value = (value << 32n) | BigInt(words[at + i]!);
  const address: Address = { family, value };
  const linkLocal = family === 6 && value >> 118n === 0x3fan;
  return port === 0 || linkLocal ? undefined : endpoint(address, port);
}
