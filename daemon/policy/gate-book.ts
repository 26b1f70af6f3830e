import { type Address, formatAddress } from '../../base/address.ts';
import type { Instant } from '../../base/instant.ts';
import type { GateAttachment, PodIdentity } from '../../npc/gate/attachment-file.ts';
import { type ClosedReason, type GateKnowledge, gateVerdict } from '../../npc/gate/gate-verdict.ts';

/** How a pod stands at the gate: somebody has spoken for it, weft-npc was asked, or it is closed and why. */
type Standing =
  | { readonly is: 'decided' }
  | { readonly is: 'asked' }
  | { readonly is: 'closed'; readonly reason: ClosedReason };

/** A pod that hangs on this node. */
export interface GateEntry {
  readonly attachment: GateAttachment;
  readonly standing: Standing;
  /** Since when it stands so. */
  readonly since: Instant;
  /** weft-npc let it wait too long, or said that it does not know it: it is not asked again. */
  readonly unanswered: boolean;
}

/** What is to be done about the set of those decided, after a look at it. */
interface GateDifference {
  /** Links for which weftd itself speaks, and which are not in the set. */
  readonly open: readonly string[];
  /** Links in the set for which nobody has spoken. */
  readonly remove: readonly string[];
  /** Links that were found in the set, where weft-npc has put them. */
  readonly decided: readonly string[];
  /** Links that were in the set and are no more. */
  readonly lost: readonly string[];
}

/** Knowledge of the moment, without what is known of a single pod. */
export type GateSituation = Pick<GateKnowledge, 'governed'> & {
  readonly npcSpeaks: boolean;
  /** weft-npc may just have written: what is in the set for a pod is its word. */
  readonly npcMayWrite: boolean;
};

/** Attachments that came or are others, and links that are gone. */
export interface GateDelta {
  readonly put: readonly GateAttachment[];
  readonly gone: readonly string[];
}

/** So many links that are gone are told of later; who asks after more is told all. */
const MAX_GONE = 1024;

/**
 * Who hangs on this node, and for whom somebody has spoken. The set in the kernel is what counts: this is compared with it
 * ({@link compare}), and holds beside it what the kernel does not know: whose the links are.
 */
export class GateBook {
  readonly #entryByLink = new Map<string, GateEntry>();
  /** Links whose pods are gone, and whose elements may still be in the set, with the time of that. */
  readonly #goneAtByLink = new Map<string, Instant>();
  /** What {@link changes} was at the last change of each link, in this order; those that are gone among them. */
  readonly #changeByLink = new Map<string, number>();
  /** Of changes up to this one some are forgotten. */
  #forgottenTo = 0;
  #changes = 0;

  /** Grows with each change of an attachment. */
  get changes(): number {
    return this.#changes;
  }

  /** What changed since {@link changes} was `count`; undefined where not all of that is known any more. */
  changedSince(count: number): GateDelta | undefined {
    if (count < this.#forgottenTo || count > this.#changes) return undefined;
    const links = [...this.#changeByLink].filter(([, at]) => at > count).map(([link]) => link);
    const entries = links.sort().map((link) => [link, this.#entryByLink.get(link)] as const);
    return {
      put: entries.flatMap(([, entry]) => entry?.attachment ?? []),
      gone: entries.filter(([, entry]) => entry === undefined).map(([link]) => link),
    };
  }

  #changed(link: string): void {
    this.#changeByLink.delete(link);
    this.#changeByLink.set(link, ++this.#changes);
    if (this.#changeByLink.size <= this.#entryByLink.size + MAX_GONE) return;
    for (const [other, at] of this.#changeByLink) {
      if (this.#entryByLink.has(other)) continue;
      this.#changeByLink.delete(other);
      this.#forgottenTo = at;
      return;
    }
  }

  entries(): GateEntry[] {
    return [...this.#entryByLink.values()];
  }

  get(link: string): GateEntry | undefined {
    return this.#entryByLink.get(link);
  }

  /** Nobody has spoken for some pod. */
  get isUnsettled(): boolean {
    return this.entries().some(({ standing }) => standing.is !== 'decided');
  }

  /** All attachments, by link. */
  attachments(): GateAttachment[] {
    return this.entries()
      .map(({ attachment }) => attachment)
      .sort((a, b) => (a.link < b.link ? -1 : 1));
  }

  /** Whether an element of an earlier pod of that link may still be in the set. */
  isStale(link: string): boolean {
    return this.#goneAtByLink.has(link);
  }

  /** A pod is about to hang on a link, or one is found. One of the same link goes. */
  put(attachment: GateAttachment, now: Instant): void {
    const standing = { is: 'closed', reason: 'unknown' } as const;
    this.#entryByLink.set(attachment.link, { attachment, standing, since: now, unanswered: false });
    this.#changed(attachment.link);
  }

  /**
   * A container that hangs on a link, as the plugin knows it. Whose it is counts as it was known, where that was of the same
   * container; its addresses are the plugin's. Answers the attachment as it is now, undefined where it is as before.
   */
  adopt(
    found: Pick<GateAttachment, 'link' | 'serial' | 'containerId' | 'addresses'>,
    now: Instant,
  ): GateAttachment | undefined {
    const known = this.#entryByLink.get(found.link);
    const same = known?.attachment.containerId === found.containerId ? known.attachment : undefined;
    if (same !== undefined && textOf(same.addresses) === textOf(found.addresses)) return undefined;
    const attachment = { ...(same ?? strange(found.link)), ...found };
    this.put(attachment, now);
    if (known?.standing.is === 'decided') this.decide(found.link, now);
    return attachment;
  }

  /** The pair is gone. False where there was none, or it is another container's by now. */
  remove(link: string, containerId: string, now: Instant): boolean {
    const entry = this.#entryByLink.get(link);
    if (entry === undefined || entry.attachment.containerId !== containerId) return false;
    this.#entryByLink.delete(link);
    this.#goneAtByLink.set(link, now);
    this.#changed(link);
    return true;
  }

  /**
   * weft-npc knows whose a link is for which no runtime named a pod: it may say another one later. Answers the attachment as
   * it is now; undefined where nothing is new.
   */
  identify(link: string, pod: PodIdentity): GateAttachment | undefined {
    const entry = this.#entryByLink.get(link);
    if (entry === undefined || entry.attachment.ungoverned) return undefined;
    const { pod: known, byAddress } = entry.attachment;
    if (known !== null && (!byAddress || samePod(known, pod))) return undefined;
    const attachment = { ...entry.attachment, pod, byAddress: true };
    this.#entryByLink.set(link, { ...entry, attachment });
    this.#changed(link);
    return attachment;
  }

  /** Its element was lost: whoever put it there is to do so again. Answers the attachment as it is now. */
  renew(link: string, serial: string): GateAttachment | undefined {
    const entry = this.#entryByLink.get(link);
    if (entry === undefined) return undefined;
    const attachment = { ...entry.attachment, serial };
    this.#entryByLink.set(link, { ...entry, attachment, unanswered: false });
    this.#changed(link);
    return attachment;
  }

  /** Somebody has spoken for it. False where nothing hangs there. */
  decide(link: string, now: Instant): boolean {
    return this.#stand(link, { is: 'decided' }, now);
  }

  /** weftd may not open it yet, for rules take its address for another pod's. False where that was known. */
  bar(link: string, now: Instant): boolean {
    const standing = this.#entryByLink.get(link)?.standing;
    if (standing === undefined || standing.is === 'decided') return false;
    const isNew = standing.is === 'asked' || standing.reason !== 'address';
    this.#stand(link, { is: 'closed', reason: 'address' }, now);
    return isNew;
  }

  /** weft-npc does not speak for it, for now. */
  noAnswer(link: string): void {
    const entry = this.#entryByLink.get(link);
    if (entry !== undefined) this.#entryByLink.set(link, { ...entry, unanswered: true });
  }

  /** Elements of these are not in the set any more. */
  cleared(links: readonly string[]): void {
    for (const link of links) this.#goneAtByLink.delete(link);
  }

  /** Links of pods that are gone for longer than `ms`, whose elements may still be there. */
  goneFor(ms: number, now: Instant): string[] {
    return [...this.#goneAtByLink].filter(([, at]) => now - at >= ms).map(([link]) => link);
  }

  /**
   * Decides anew for a pod for which nobody has spoken. True where weftd is to open for it, which {@link decide} then
   * notes once it is done.
   */
  consult(link: string, situation: GateSituation, now: Instant): boolean {
    const entry = this.#entryByLink.get(link);
    if (entry === undefined || entry.standing.is === 'decided') return false;
    const { governed } = situation;
    const npcSpeaks = situation.npcSpeaks && !entry.unanswered;
    const verdict = gateVerdict(entry.attachment, { npcSpeaks, governed });
    if (verdict.act === 'ask') this.#stand(link, { is: 'asked' }, now);
    if (verdict.act === 'close') this.#stand(link, { is: 'closed', reason: verdict.reason }, now);
    return verdict.act === 'open';
  }

  /** The whole set is lost: nobody has spoken for anyone. Answers whom weftd opens by itself. */
  loseAll(situation: GateSituation, now: Instant): string[] {
    this.#goneAtByLink.clear();
    return [...this.#entryByLink.keys()].filter((link) => {
      this.#lose(link, now);
      return this.consult(link, { ...situation, npcSpeaks: false }, now);
    });
  }

  /** Compares with the set as it was in the kernel some time after `readAt`, and notes what is found. */
  compare(
    found: ReadonlySet<string>,
    situation: GateSituation & { readonly readAt: Instant },
    now: Instant,
  ): GateDifference {
    const difference = {
      open: [] as string[],
      remove: [] as string[],
      decided: [] as string[],
      lost: [] as string[],
    };
    for (const [link, { standing, since }] of this.#entryByLink) {
      const isDecided = standing.is === 'decided';
      if (found.has(link) === isDecided) continue;
      if (!isDecided && situation.npcMayWrite) {
        this.decide(link, now);
        difference.decided.push(link);
      } else if (!isDecided) difference.remove.push(link);
      else if (since < situation.readAt) {
        this.#lose(link, now);
        difference.lost.push(link);
        if (this.consult(link, situation, now)) difference.open.push(link);
      }
    }
    for (const link of found) {
      if (this.#entryByLink.has(link)) continue;
      // weft-npc takes out itself what it has put there; it needs a moment for that.
      if (!situation.npcMayWrite) difference.remove.push(link);
      else if (!this.#goneAtByLink.has(link)) this.#goneAtByLink.set(link, now);
    }
    for (const link of this.#goneAtByLink.keys()) if (!found.has(link)) this.#goneAtByLink.delete(link);
    return difference;
  }

  #lose(link: string, now: Instant): void {
    this.#stand(link, { is: 'closed', reason: 'unknown' }, now);
  }

  #stand(link: string, standing: Standing, now: Instant): boolean {
    const entry = this.#entryByLink.get(link);
    if (entry === undefined) return false;
    const wasWaiting = entry.standing.is !== 'decided';
    const since = wasWaiting && standing.is !== 'decided' ? entry.since : now;
    this.#entryByLink.set(link, { ...entry, standing, since });
    return true;
  }
}

function samePod(a: PodIdentity, b: PodIdentity): boolean {
  return a.namespace === b.namespace && a.name === b.name && a.uid === b.uid;
}

/** An attachment of which nothing but the link is known. */
export function strange(link: string): GateAttachment {
  return { link, serial: '-', addresses: [], pod: null, containerId: '-', ungoverned: false };
}

function textOf(addresses: readonly Address[]): string {
  return addresses.map(formatAddress).sort().join();
}
