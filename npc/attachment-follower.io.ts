import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { PolicyWaitResult } from '../control/policy-request.ts';
import { AttachmentFiles } from './attachment-files.io.ts';
import type { AttachmentChange } from './compiler/attachments.ts';
import { GATE_MARK, type GateAttachment, parseAttachment } from './gate/attachment-file.ts';
import { type NetworkAddresses, networkAddresses } from './network-addresses.ts';

/** Between two looks for a weftd that does not answer. */
const AWAY_LOOK_MS = 500;
/** How a weftd without a gate refuses, and one that knows nothing of it. */
const NO_GATE = ['E_NO_POLICY', 'E_BAD_REQUEST'];

/** Whether a weftd laid a gate on this node since the machine started. */
export function hasGate(runDir: string): boolean {
  return existsSync(`${runDir}/${GATE_MARK}`);
}

/** Who hangs on this node, and what weftd knows of the whole network. */
export interface NodeAttachments {
  /** All of them, or what became of those that were told before. */
  readonly attachments: readonly GateAttachment[] | AttachmentChange<GateAttachment>;
  /** Undefined where it is as it was, or weftd could not be asked, so that what was known before counts. */
  readonly network: NetworkAddresses | undefined;
}

interface FollowerOptions {
  readonly runDir: string;
  /** The copy of the API is complete and kept up to date, so that pods may be left to us. */
  readonly isCurrent: () => boolean;
  /** What is there now; called whenever it may be another. */
  readonly onAttachments: (now: NodeAttachments) => void;
  /** weftd answers that it keeps no gate, or is of a version that knows none: nothing may be loaded on this node. */
  readonly onNoGate: (fault: WeftError) => void;
  /** weftd cannot be asked, or can again. */
  readonly onFault: (fault: WeftError | undefined) => void;
}

/**
 * Follows who hangs on this node: asks weftd, which answers when that changes, and reads the files in RUN_DIR/pods while
 * weftd is away. What cannot be read is left out, and counted.
 */
export class AttachmentFollower {
  readonly #options: FollowerOptions;
  readonly #stop = new AbortController();
  /** Each loop has a number; only the newest one goes on. */
  #loop = 0;
  #unreadable = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Files, or answers of weftd, that could not be understood when they were last read. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Follows until {@link close}. Called again, it tells weftd at once how things stand. */
  start(): void {
    void this.#follow(++this.#loop); // a rejection is a bug, and ends the process
  }

  close(): void {
    this.#stop.abort();
  }

  async #follow(loop: number): Promise<void> {
    const { runDir, isCurrent, onAttachments, onFault } = this.#options;
    const { signal } = this.#stop;
    let revision = '';
    const files = new AttachmentFiles(`${runDir}/pods`);
    const isOver = (): boolean => signal.aborted || loop !== this.#loop;
    while (!isOver()) {
      try {
        const request = { op: 'policyWait', revision, complete: isCurrent(), differences: true } as const;
        const answer = await askDaemon(runDir, request);
        if (isOver()) return;
        onFault(undefined);
        if (answer.revision === revision) continue;
        const now = this.#read(answer, revision);
        revision = now === undefined ? '' : answer.revision;
        files.forget();
        if (now !== undefined) onAttachments(now);
      } catch (error) {
        if (!(error instanceof WeftError)) throw error;
        if (isOver()) return;
        onFault(error);
        revision = '';
        if (NO_GATE.includes(error.code)) {
          this.#options.onNoGate(error);
          files.forget();
        }
        // Without a gate the files are those of nobody: pods that run would be taken for none.
        else if (hasGate(runDir)) {
          const found = files.look();
          if (found !== 'unchanged')
            onAttachments({ attachments: this.#readable(found), network: undefined });
        } else files.forget();
        await delay(AWAY_LOOK_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** What weftd answered to who knew `revision`; undefined where it must be asked for the whole. */
  #read(answer: PolicyWaitResult, revision: string): NodeAttachments | undefined {
    const { since, gone = [], peers } = answer;
    const found = answer.attachments.map((each) => parseAttachment(each));
    const network = peers === undefined ? undefined : networkAddresses(answer);
    if (since === undefined) return { attachments: this.#readable(found), network };
    const put = found.filter((each) => each !== undefined);
    // What cannot be read is to be counted, among all there are.
    if (since !== revision || put.length < found.length) return undefined;
    return { attachments: { put, gone }, network };
  }

  #readable(found: readonly (GateAttachment | undefined)[]): GateAttachment[] {
    const readable = found.filter((each) => each !== undefined);
    this.#unreadable = found.length - readable.length;
    return readable;
  }
}
