import type { Instant } from '../base/instant.ts';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import { MAX_POLICY_LINKS, type PolicyPod } from '../control/policy-request.ts';
import type { PolicyCompiler } from './compiler/policy-compiler.ts';
import type { GateAttachment } from './gate/attachment-file.ts';

/** A pod that the API shows later than the runtime is waited for so long, while the copy is kept up to date. */
const LATE_POD_MS = 1_000;

interface ToldDecisionsOptions {
  readonly runDir: string;
  readonly compiler: Pick<PolicyCompiler, 'podAt'>;
  /** The copy of the API is kept up to date. */
  readonly isCurrent: () => boolean;
  readonly now: () => Instant;
  /** What was to be told could not be, for a reason that is none of weftd's. */
  readonly onFault: (error: unknown) => void;
}

/** What weftd is to be told next, by link and serial, and by link. */
interface Untold {
  readonly decided: Map<string, GateAttachment>;
  readonly unknown: Map<string, GateAttachment>;
  readonly pods: Map<string, PolicyPod>;
}

/**
 * What weftd is told of the pods here: for whom weft-npc has spoken, and whom it does not know. Nobody waits for its
 * answers: it may be busy with many pods. One question is under way at a time, and what comes meanwhile is the next one
 * together, so that a weftd that hangs has no more than one answered late.
 */
export class ToldDecisions {
  readonly #options: ToldDecisionsOptions;
  /** When links of pods that are not known were first seen. */
  readonly #unknownSince = new Map<string, Instant>();
  /** What weftd was told, or is being told, by link and serial. */
  readonly #told = new Map<string, 'decided' | 'unknown'>();
  #untold: Untold = nothing();
  #sending: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(options: ToldDecisionsOptions) {
    this.#options = options;
  }

  /** weftd may be another one that was told nothing, or there is nobody to speak for any more. */
  forgetAll(): void {
    this.#told.clear();
    this.#unknownSince.clear();
  }

  /** The attachment is gone, or is another one by now. */
  forget(attachment: GateAttachment): void {
    this.#told.delete(keyOf(attachment));
  }

  /** The rules for those in `decided` are loaded. */
  tell(attachmentByLink: ReadonlyMap<string, GateAttachment>, decided: ReadonlySet<string>): void {
    const { compiler, isCurrent, now } = this.#options;
    const governed = [...attachmentByLink.values()].filter(({ ungoverned }) => !ungoverned);
    const fresh = governed.filter(
      (each) => decided.has(each.link) && this.#told.get(keyOf(each)) !== 'decided',
    );
    // A pod that goes while weftd is told of it is forgotten before it is known as told.
    if (this.#told.size > attachmentByLink.size) this.#prune(governed);
    const pods = foundPods(governed, compiler);
    const waiting = governed.filter(({ link }) => !decided.has(link));
    const keys = new Set(waiting.map(keyOf));
    for (const key of this.#unknownSince.keys()) if (!keys.has(key)) this.#unknownSince.delete(key);
    const late = waiting.filter((each) => {
      const since = this.#unknownSince.get(keyOf(each)) ?? now();
      this.#unknownSince.set(keyOf(each), since);
      return !isCurrent() || now() - since >= LATE_POD_MS;
    });
    this.#send(
      fresh,
      late.filter((each) => this.#told.get(keyOf(each)) !== 'unknown'),
      pods,
    );
  }

  /** Nothing can be loaded now, so weftd is to wait for nobody of whom it was told nothing yet. */
  tellUnknown(attachmentByLink: ReadonlyMap<string, GateAttachment>): void {
    const unknown = [...attachmentByLink.values()].filter(
      (attachment) => !attachment.ungoverned && this.#told.get(keyOf(attachment)) === undefined,
    );
    this.#send([], unknown, []);
  }

  /** Tells nothing more: whoever comes next tells all of it. Resolves when no question is under way. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#sending;
  }

  /** When the next pod has been waited for long enough; undefined where none is waited for. */
  get nextLateAt(): number | undefined {
    const times = [...this.#unknownSince]
      .filter(([key]) => this.#told.get(key) === undefined)
      .map(([, since]) => since + LATE_POD_MS);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #prune(governed: readonly GateAttachment[]): void {
    const keys = new Set(governed.map(keyOf));
    for (const key of this.#told.keys()) if (!keys.has(key)) this.#told.delete(key);
  }

  #send(
    decided: readonly GateAttachment[],
    unknown: readonly GateAttachment[],
    pods: readonly PolicyPod[],
  ): void {
    if (decided.length + unknown.length + pods.length === 0 || this.#closing.signal.aborted) return;
    for (const attachment of decided) {
      const key = keyOf(attachment);
      this.#told.set(key, 'decided');
      this.#untold.decided.set(key, attachment);
      this.#untold.unknown.delete(key);
    }
    for (const attachment of unknown) {
      this.#told.set(keyOf(attachment), 'unknown');
      this.#untold.unknown.set(keyOf(attachment), attachment);
    }
    for (const pod of pods) this.#untold.pods.set(pod.link, pod);
    this.#sending ??= this.#drain();
  }

  async #drain(): Promise<void> {
    while (!isEmpty(this.#untold) && !this.#closing.signal.aborted) {
      const { decided, unknown, pods } = this.#untold;
      this.#untold = nothing();
      if (await this.#ask([...decided.values()], [...unknown.values()], [...pods.values()])) continue;
      for (const key of [...decided.keys(), ...unknown.keys()]) this.#told.delete(key);
    }
    this.#sending = undefined;
  }

  /** False where weftd cannot be asked; it is told when it is there again. */
  async #ask(
    decided: readonly GateAttachment[],
    unknown: readonly GateAttachment[],
    pods: readonly PolicyPod[],
  ): Promise<boolean> {
    const { runDir, onFault } = this.#options;
    const most = Math.floor(MAX_POLICY_LINKS / 3);
    try {
      for (let at = 0; at < Math.max(decided.length, unknown.length, pods.length); at += most) {
        const part = <T>(all: readonly T[]): T[] => all.slice(at, at + most);
        await askDaemon(
          runDir,
          {
            op: 'policyDecided',
            links: part(decided).map(({ link }) => link),
            unknown: part(unknown).map(({ link }) => link),
            pods: part(pods),
          },
          { signal: this.#closing.signal },
        );
      }
      return true;
    } catch (error) {
      if (!(error instanceof WeftError)) onFault(error);
      return false;
    }
  }
}

/** Whose links are that no runtime named a pod for, where weftd does not know that yet. */
function foundPods(
  attachments: readonly GateAttachment[],
  compiler: Pick<PolicyCompiler, 'podAt'>,
): PolicyPod[] {
  return attachments.flatMap(({ link, pod, byAddress }) => {
    const found = pod === null || byAddress ? compiler.podAt(link) : undefined;
    if (found === undefined || found.uid === pod?.uid) return [];
    return [{ link, namespace: found.namespace, name: found.name, uid: found.uid }];
  });
}

function keyOf({ link, serial }: GateAttachment): string {
  return `${link} ${serial}`;
}

function nothing(): Untold {
  return { decided: new Map(), unknown: new Map(), pods: new Map() };
}

function isEmpty({ decided, unknown, pods }: Untold): boolean {
  return decided.size + unknown.size + pods.size === 0;
}
