import { lookup } from 'node:dns/promises';
import { parseAddress } from '../base/address.ts';
import { type Endpoint, endpoint } from '../base/endpoint.ts';
import type { Instant } from '../base/instant.ts';
import { clock } from '../host/clock.io.ts';
import { formatPeerHint, type PeerHint } from './settings/peer-hint.ts';

/** Names are resolved anew this often: whoever stands behind one may have moved. */
const RESOLVE_EVERY_MS = 30_000;
/** A name that did not resolve is asked again sooner. */
const RESOLVE_RETRY_MS = 2_000;
/** Addresses of one name that are used; a name with more is somebody's mistake. */
const MAX_ADDRESSES = 16;

/** Why a name leads to no address, and since when. */
interface NameFault {
  readonly reason: string;
  readonly since: Instant;
}

/** One peer that was given by `--peer` or `weft connect`. */
export interface SoughtSeed {
  /** In canonical text. */
  readonly text: string;
  /** What its name leads to at present, or led to last. */
  readonly endpoints: readonly Endpoint[];
  readonly nameFault: NameFault | undefined;
}

/**
 * Where this node looks for peers: what `--peer` and `weft connect` gave. Addresses stand for themselves, names are
 * resolved now and again, and what else was found joins them; `onChange` gets all endpoints whenever they differ from before.
 */
export class PeerSeeds {
  readonly #onChange: (endpoints: readonly Endpoint[]) => void;
  readonly #onFault: (hint: string, reason: string) => void;
  readonly #hintByText = new Map<string, PeerHint>();
  readonly #endpointsByText = new Map<string, readonly Endpoint[]>();
  readonly #nameFaultByText = new Map<string, NameFault>();
  #found: readonly Endpoint[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #told = '';

  constructor(options: {
    readonly onChange: (endpoints: readonly Endpoint[]) => void;
    readonly onFault: (hint: string, reason: string) => void;
  }) {
    this.#onChange = options.onChange;
    this.#onFault = options.onFault;
  }

  /** What is looked for. */
  get sought(): readonly SoughtSeed[] {
    return [...this.#hintByText.keys()].map((text) => ({
      text,
      endpoints: this.#endpointsByText.get(text) ?? [],
      nameFault: this.#nameFaultByText.get(text),
    }));
  }

  /** Adds peers to look for; resolves when the names among them were asked for once. */
  async add(hints: readonly PeerHint[]): Promise<void> {
    for (const hint of hints) this.#hintByText.set(formatPeerHint(hint), hint);
    await this.#resolve();
  }

  /** Drops one; false where it was not looked for. */
  remove(hint: PeerHint): boolean {
    const text = formatPeerHint(hint);
    this.#endpointsByText.delete(text);
    this.#nameFaultByText.delete(text);
    const known = this.#hintByText.delete(text);
    this.#tell();
    return known;
  }

  /** Takes these endpoints for peers too, in place of those that were found before by other means than a name. */
  setFound(endpoints: readonly Endpoint[]): void {
    this.#found = endpoints;
    this.#tell();
  }

  /** Asks for no name any more, and tells of none. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #resolve(): Promise<void> {
    clearTimeout(this.#timer);
    const hints = [...this.#hintByText];
    await Promise.all(hints.map(([text, hint]) => this.#resolveOne(text, hint)));
    if (this.#closed) return;
    this.#tell();
    if (hints.every(([, hint]) => parseAddress(hint.host) !== undefined)) return;
    const missing = hints.some(([text]) => !this.#endpointsByText.has(text));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#resolve(), missing ? RESOLVE_RETRY_MS : RESOLVE_EVERY_MS);
    this.#timer.unref();
  }

  async #resolveOne(text: string, hint: PeerHint): Promise<void> {
    const address = parseAddress(hint.host);
    if (address !== undefined) {
      this.#endpointsByText.set(text, [endpoint(address, hint.port)]);
      return;
    }
    try {
      const found = await lookup(hint.host, { all: true });
      const endpoints = found.slice(0, MAX_ADDRESSES).flatMap((entry) => {
        const parsed = parseAddress(entry.address.replace(/%.*$/, ''));
        return parsed === undefined ? [] : [endpoint(parsed, hint.port)];
      });
      // Removed while it was being asked for: leave it removed.
      this.#nameFaultByText.delete(text);
      if (this.#hintByText.has(text)) this.#endpointsByText.set(text, endpoints);
    } catch (error) {
      // What it was before stays in use: a resolver that fails for a while must not take peers away.
      if (this.#closed) return;
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#hintByText.has(text))
        this.#nameFaultByText.set(text, { reason, since: this.#nameFaultByText.get(text)?.since ?? clock() });
      this.#onFault(text, reason);
    }
  }

  #tell(): void {
    const all = [...new Set([...[...this.#endpointsByText.values()].flat(), ...this.#found])].sort();
    const text = all.join(' ');
    if (text === this.#told) return;
    this.#told = text;
    this.#onChange(all);
  }
}
