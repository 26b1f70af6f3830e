import { createHash } from 'node:crypto';
import { after, type Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';

/** A link that nobody followed for so long leads nowhere. */
export const LINK_MS = 600_000;
/** A session of which nothing was heard for so long has ended. */
const IDLE_MS = 12 * 3_600_000;
/** Sessions at once. Where there are more, the one that was silent longest ends. */
const MAX_SESSIONS = 400;
/** Links that were not followed yet. */
const MAX_LINKS = 64;
/** 256 bits: nobody guesses one. */
const TOKEN_BYTES = 32;

interface Held<Rights> {
  readonly rights: Rights;
  until: Instant;
}

/**
 * Who may look: a link's token is exchanged for a session, once. Only hashes of both are kept, so how long a look-up takes
 * tells nothing of them.
 */
export class Sessions<Rights> {
  readonly #random: RandomSource;
  readonly #linkByHash = new Map<string, Instant>();
  readonly #heldByHash = new Map<string, Held<Rights>>();

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** The token of a new link, for {@link LINK_MS}. */
  newLink(now: Instant): string {
    const token = this.#newToken();
    const [oldest] = this.#linkByHash.keys();
    if (oldest !== undefined && this.#linkByHash.size >= MAX_LINKS) this.#linkByHash.delete(oldest);
    this.#linkByHash.set(hashOf(token), after(now, LINK_MS));
    return token;
  }

  /** Whether `token` is that of a link; it is none from now on. */
  followLink(token: string, now: Instant): boolean {
    const hash = hashOf(token);
    const until = this.#linkByHash.get(hash);
    this.#linkByHash.delete(hash);
    return until !== undefined && now < until;
  }

  /** Begins a session; gives its token. */
  begin(rights: Rights, now: Instant): string {
    const token = this.#newToken();
    const [oldest] = this.#heldByHash.keys();
    if (oldest !== undefined && this.#heldByHash.size >= MAX_SESSIONS) this.#heldByHash.delete(oldest);
    this.#heldByHash.set(hashOf(token), { rights, until: after(now, IDLE_MS) });
    return token;
  }

  /** What a session may see; undefined where there is none with this token. */
  rightsOf(token: string, now: Instant): Rights | undefined {
    const hash = hashOf(token);
    const held = this.#heldByHash.get(hash);
    if (held === undefined) return undefined;
    this.#heldByHash.delete(hash);
    if (now >= held.until) return undefined;
    held.until = after(now, IDLE_MS);
    this.#heldByHash.set(hash, held);
    return held.rights;
  }

  end(token: string): void {
    this.#heldByHash.delete(hashOf(token));
  }

  #newToken(): string {
    return Buffer.from(this.#random.bytes(TOKEN_BYTES)).toString('base64url');
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
