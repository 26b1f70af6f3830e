import { hex } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';
import type { Warning } from '../../base/warning.ts';
import type { Attachment, PodAddresses } from '../../cni/attachment.ts';
import { CNI_CODE, CniFault } from '../../cni/fault.ts';
import { hostLinkName } from '../../cni/host-link-name.ts';
import type { AttachmentKey } from '../../cni/key.ts';
import type { PodGate } from '../../cni/needs.ts';
import type { PodOfArgs } from '../../cni/pod-args.ts';
import type { PolicyRequest, PolicyStatus } from '../../control/policy-request.ts';
import type { RulesetWatcher } from '../../ground/ground-keeper.io.ts';
import type { Readiness } from '../../host/health-server.io.ts';
import type { Log } from '../../host/log.ts';
import { type GateAttachment, podIdentity } from '../../npc/gate/attachment-file.ts';
import type { AdmissionCounter } from './admission-counters.ts';
import { Admissions } from './admissions.io.ts';
import { GateBook, type GateDelta, type GateSituation, strange } from './gate-book.ts';
import { GateFolder } from './gate-folder.io.ts';
import { GateKeeper } from './gate-keeper.io.ts';
import { gateWarnings, type WaitingPod, waitingPods } from './gate-warnings.ts';
import { GovernedFile } from './governed-file.io.ts';
import type { NpcPresence } from './npc-presence.ts';

/** The start of a pod waits no longer for nft where weftd opens for it itself. */
const OPENING_WAIT_MS = 2_000;
/** weft-npc may have died with a run of nft under way: for so long what appears in the set is its word. */
const NPC_GRACE_MS = 20_000;
/** What {@link PolicyGate} needs. */
interface PolicyGateOptions {
  readonly runDir: string;
  /** The state folder of weft-npc, of which one file is read. */
  readonly npcStateDir: string;
  readonly presence: NpcPresence;
  /** Who hangs here is another than before. */
  readonly onChange: () => void;
  readonly log: Log;
  readonly counters: Counters<AdmissionCounter>;
  readonly now: () => Instant;
  readonly random: RandomSource;
}

/**
 * weftd's side of the gate: lays it, keeps it, knows who hangs on this node, and speaks for pods where weft-npc cannot and
 * no policy may select them. A pod for which nobody has spoken is closed, so every failure here closes and none opens;
 * and no start of a pod fails for it.
 */
export class PolicyGate implements PodGate {
  readonly #options: PolicyGateOptions;
  readonly #book = new GateBook();
  readonly #admissions = new Admissions((link) => this.#lostPatience(link));
  readonly #folder: GateFolder;
  readonly #governed: GovernedFile;
  readonly #keeper: GateKeeper;
  /** Tells weftds apart, and with a number attachments. */
  readonly #nonce: string;
  readonly #adopted = Promise.withResolvers<void>();
  #isAdopted = false;
  #serials = 0;
  /** Links that weftd is about to put into the set. */
  readonly #opening = new Set<string>();
  #unreadable: readonly string[] = [];
  #isRetired = false;
  #isClosed = false;

  constructor(options: PolicyGateOptions) {
    this.#options = options;
    this.#folder = new GateFolder(options.runDir);
    this.#governed = new GovernedFile(options.npcStateDir);
    const { log, counters, now } = options;
    this.#keeper = new GateKeeper({
      book: this.#book,
      situation: () => this.#situation(),
      listener: {
        decided: (links) => links.forEach((link) => void this.#admissions.answer(link)),
        lost: (links) => links.forEach((link) => void this.#renew(link)),
        looked: () => this.#consultAll(),
      },
      log,
      counters,
      now,
    });
    this.#nonce = hex(options.random.bytes(8));
  }

  /**
   * Lays the gate, or takes over that which is there. `links` are the pods' host ends that the kernel has now: where no
   * gate was laid since the machine started they are let through, for they run already; where one was and is gone, only
   * those that no policy may select. Rejects as nft does, for without a gate no pod may be attached.
   */
  async start(links: readonly string[]): Promise<void> {
    this.#readFiles(links);
    await this.#keeper.lay(links, !this.#folder.wasLaid);
    this.#folder.noteLaid();
    const closed = this.#waiting().length;
    this.#options.log.info('the gate for policies stands', { open: links.length - closed, closed });
  }

  /**
   * Writes all files again where somebody emptied the run folder: the next weftd would else take the gate for one that
   * never was, and let everybody through.
   */
  keepFiles(): void {
    if (this.#isRetired || this.#isClosed || this.#folder.stands) return;
    for (const { attachment } of this.#book.entries()) this.#write(attachment);
    this.#folder.noteLaid();
  }

  /** What it is to be told of changes of nftables. */
  get watcher(): RulesetWatcher {
    return this.#keeper.watcher;
  }

  // -- the calls of the CNI plugin ------------------------------------------------------------------------------

  adopt(attached: readonly { readonly key: AttachmentKey; readonly addresses: PodAddresses }[]): void {
    const { now } = this.#options;
    const links = new Set<string>();
    for (const { key, addresses } of attached) {
      const link = hostLinkName(key);
      const { containerId } = key;
      links.add(link);
      const both = [addresses.v4, addresses.v6].filter((address) => address !== undefined);
      const found = { link, serial: this.#serial(), addresses: both, containerId };
      const attachment = this.#book.adopt(found, now());
      if (attachment !== undefined) this.#write(attachment);
    }
    for (const { attachment } of this.#book.entries()) {
      if (links.has(attachment.link)) continue;
      this.#folder.remove(attachment.link);
      this.#book.remove(attachment.link, attachment.containerId, now());
    }
    this.#isAdopted = true;
    this.#adopted.resolve();
    this.#consultAll();
    this.#keeper.start();
  }

  async announce(attachment: Attachment, pod: PodOfArgs): Promise<void> {
    const { now, counters } = this.#options;
    const { hostName: link, key, addresses } = attachment;
    const earlier = this.#book.get(link);
    if (earlier !== undefined) this.#book.remove(link, earlier.attachment.containerId, now());
    if (this.#book.isStale(link)) await this.#takeBack(link);
    this.#put({
      link,
      serial: this.#serial(),
      addresses,
      pod: pod.kind === 'pod' ? { namespace: pod.namespace, name: pod.name, uid: pod.uid } : null,
      containerId: key.containerId,
      ungoverned: pod.kind === 'none',
    });
    this.#changed();
    this.#admissions.begin(link, now());
    this.#consult(link);
    if (this.#book.get(link)?.standing.is === 'asked') counters.add('admission.asked');
  }

  async admitted(key: AttachmentKey): Promise<void> {
    const { counters, now } = this.#options;
    const link = hostLinkName(key);
    const ms = await this.#admissions.end(link, now);
    if (ms === undefined) return;
    counters.add('admission.waitedMs', Math.round(ms));
    if (this.#book.get(link)?.standing.is !== 'decided') counters.add('admission.closed');
  }

  forget(key: AttachmentKey): void {
    const link = hostLinkName(key);
    if (!this.#book.remove(link, key.containerId, this.#options.now())) return;
    this.#admissions.drop(link);
    this.#folder.remove(link);
    this.#changed();
    this.#keeper.recheck('gone');
  }

  // -- what weft-npc asks and says ------------------------------------------------------------------------------

  /** Resolves once it is known who hangs here. */
  get known(): Promise<void> {
    return this.#adopted.promise;
  }

  /** Another one with each change, and in each weftd. */
  get revision(): string {
    return `${this.#nonce}-${this.#book.changes}`;
  }

  /** What changed since that revision; undefined where that is not known. */
  changedSince(revision: string): GateDelta | undefined {
    const count = revision.startsWith(`${this.#nonce}-`) ? revision.slice(this.#nonce.length + 1) : '';
    return /^\d{1,15}$/.test(count) ? this.#book.changedSince(Number(count)) : undefined;
  }

  attachments(): GateAttachment[] {
    return this.#book.attachments();
  }

  /** weft-npc has spoken. Answers for how many pods that hang here. */
  decided({ links, unknown, pods }: Extract<PolicyRequest, { op: 'policyDecided' }>): number {
    const { counters, now, presence } = this.#options;
    presence.heard(now());
    for (const { link, ...pod } of pods) {
      const identity = podIdentity(pod);
      const attachment = identity && this.#book.identify(link, identity);
      if (attachment === undefined) continue;
      this.#write(attachment);
      this.#consult(link);
      this.#changed();
    }
    const here = (link: string): boolean => this.#book.get(link) !== undefined;
    for (const link of links.filter(here)) {
      const { is } = this.#book.get(link)!.standing;
      this.#book.decide(link, now());
      if (is === 'asked' && this.#admissions.has(link)) counters.add('admission.decided');
      this.#admissions.answer(link);
    }
    for (const link of unknown.filter(here)) {
      this.#book.noAnswer(link);
      this.#consult(link);
    }
    return links.filter(here).length + unknown.filter(here).length;
  }

  /** weft-npc has come or gone. */
  presenceChanged(): void {
    if (this.#isAdopted) this.#consultAll();
  }

  /** From now on weft-npc cannot reach this weftd any more: nobody waits for its word. */
  retire(): void {
    this.#isRetired = true;
    this.#consultAll();
  }

  // -- what a user sees -----------------------------------------------------------------------------------------

  readiness(): Readiness {
    if (!this.#isNeverComplete) return { ready: true };
    const reason =
      'pods that start now have no network: weft-npc never had a complete copy of the policies here';
    return { ready: false, reason };
  }

  warnings(): Warning[] {
    const { presence, now } = this.#options;
    const absentSince = presence.absentSince(now());
    return gateWarnings({
      neverComplete: this.#isNeverComplete,
      npcAbsentMs: absentSince === undefined ? undefined : now() - absentSince,
      waiting: this.#waiting(),
      fault: this.#keeper.fault?.line,
      repairs: this.#keeper.repairs,
      unreadable: this.#unreadable,
    });
  }

  status(): PolicyStatus {
    const { presence, now, counters } = this.#options;
    const isThere = presence.isConnected(now()) ? 'incomplete' : 'absent';
    const waiting = this.#waiting().length;
    const open = this.#book.entries().length - waiting;
    const waitedMs = counters.get('admission.waitedMs');
    return { npc: presence.speaks(now()) ? 'serving' : isThere, open, waiting, waitedMs };
  }

  /** The gate stays as it is. */
  close(): void {
    this.#isClosed = true;
    this.#keeper.close();
    this.#admissions.answerAll();
  }

  // -- who is to speak ------------------------------------------------------------------------------------------

  #situation(): GateSituation {
    const { presence, now } = this.#options;
    return {
      npcSpeaks: !this.#isRetired && presence.speaks(now()),
      npcMayWrite: presence.silentForMs(now()) < NPC_GRACE_MS,
      governed: this.#governed.read(),
    };
  }

  get #isNeverComplete(): boolean {
    const { presence, now } = this.#options;
    return !presence.speaks(now()) && this.#governed.read() === undefined;
  }

  #consultAll(): void {
    for (const { attachment } of this.#book.entries()) this.#consult(attachment.link);
  }

  /** Sees anew who is to speak for a pod, and lets its start go on where nobody is asked. */
  #consult(link: string): void {
    if (this.#isClosed || this.#book.get(link)?.standing.is === 'decided') return;
    const isOurs = this.#book.consult(link, this.#situation(), this.#options.now());
    this.#keeper.recheck('waits');
    if (isOurs) void this.#open(link);
    else if (this.#book.get(link)?.standing.is === 'closed') this.#admissions.answer(link);
  }

  async #open(link: string): Promise<void> {
    if (this.#opening.has(link)) return;
    this.#opening.add(link);
    const late = setTimeout(() => this.#admissions.answer(link), OPENING_WAIT_MS);
    await this.#keeper.open(link);
    clearTimeout(late);
    this.#opening.delete(link);
    this.#admissions.answer(link);
  }

  #lostPatience(link: string): void {
    if (this.#book.get(link)?.standing.is !== 'asked') return;
    this.#options.counters.add('admission.silent');
    this.#book.noAnswer(link);
    this.#consult(link);
  }

  /** Takes out of the set what was decided for an earlier container with that link. */
  async #takeBack(link: string): Promise<void> {
    try {
      await this.#keeper.takeBack(link);
    } catch (cause) {
      const message = 'what was decided for an earlier container of this name cannot be taken back';
      throw new CniFault(CNI_CODE.tryLater, message, { cause });
    }
  }

  // -- who hangs here -------------------------------------------------------------------------------------------

  #readFiles(links: readonly string[]): void {
    const { log, counters, now } = this.#options;
    const { attachments, unreadable } = this.#folder.read();
    for (const attachment of attachments) {
      if (links.includes(attachment.link)) this.#book.put(attachment, now());
      else this.#folder.remove(attachment.link);
    }
    for (const link of links) if (this.#book.get(link) === undefined) this.#book.put(strange(link), now());
    this.#unreadable = unreadable;
    if (unreadable.length === 0) return;
    counters.add('admission.fileUnreadable', unreadable.length);
    log.warn("files of the folder 'pods' cannot be read", { names: unreadable.slice(0, 8).join(' ') });
  }

  #put(attachment: GateAttachment): void {
    this.#book.put(attachment, this.#options.now());
    this.#write(attachment);
  }

  /** Its element of the set is gone: weft-npc is to add it again, as for a new attachment. */
  #renew(link: string): void {
    const attachment = this.#book.renew(link, this.#serial());
    if (attachment === undefined) return;
    this.#write(attachment);
    this.#changed();
  }

  #write(attachment: GateAttachment): void {
    const { counters, log } = this.#options;
    try {
      this.#folder.write(attachment);
    } catch (error) {
      counters.add('admission.fileUnwritten');
      log.warn('the file of an attachment cannot be written', { fault: String(error) });
    }
  }

  #serial(): string {
    return `${this.#nonce}-${this.#serials++}`;
  }

  #changed(): void {
    if (this.#isAdopted) this.#options.onChange();
  }

  #waiting(): WaitingPod[] {
    return waitingPods(this.#book.entries(), this.#options.now());
  }
}
