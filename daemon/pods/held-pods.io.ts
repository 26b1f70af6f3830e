import type { Counters } from '../../base/counters.ts';
import type { Instant } from '../../base/instant.ts';
import type { Warning } from '../../base/warning.ts';
import { type AttachmentKey, keyText } from '../../cni/key.ts';
import type { HeldPod, Pod, PodHolder } from '../../cni/needs.ts';
import { type PodHandles, takeHandles } from '../../cni/pod-link/pod-network.io.ts';
import type { Log } from '../../host/log.ts';
import { HeldEnd, type HeldEndListener, SETTLE_MS } from './held-end.io.ts';
import { type NamespaceEnd, NamespaceEnds } from './namespace-ends.io.ts';
import type { PodCounter } from './pod-counters.ts';

/** Pods that `weft status` warns of one by one. */
const MAX_WARNINGS = 8;

interface HeldPodsOptions {
  readonly clock: () => Instant;
  readonly log: Log;
  readonly counters: Counters<PodCounter>;
  /** Default {@link SETTLE_MS}. */
  readonly settleMs?: number | undefined;
}

interface Entry {
  readonly end: HeldEnd;
  readonly namespace: NamespaceEnd;
}

/** A pod that the next weftd is to hold. */
export interface Bequest {
  readonly held: HeldPod;
  /** As the shim sends them with an ADD. */
  readonly fds: readonly number[];
  /** Once they were sent, or nobody took them. */
  close(): void;
}

/**
 * The ends of all pods of this node that can be held. A held namespace cannot end, for a socket keeps it: each is let go
 * with its DEL, with its interface, and as soon as the path goes by which the runtime knows it.
 */
export class HeldPods implements PodHolder {
  readonly #options: HeldPodsOptions;
  readonly #ends = new NamespaceEnds();
  readonly #entryByKey = new Map<string, Entry>();

  constructor(options: HeldPodsOptions) {
    this.#options = options;
  }

  hold(pod: Pod, held: HeldPod): void {
    const { log, counters } = this.#options;
    const { key } = held.attachment;
    this.release(key);
    const handles = takeHandles(pod);
    try {
      if (handles) this.#entryByKey.set(keyText(key), this.#entryOf(handles, held));
      else counters.add('pods.notHeld');
    } catch (error) {
      counters.add('pods.notHeld');
      log.warn('a pod cannot be held', { pod: held.owner, fault: String(error) });
    }
  }

  release(key: AttachmentKey): void {
    const entry = this.#entryByKey.get(keyText(key));
    if (!entry) return;
    this.#entryByKey.delete(keyText(key));
    entry.end.close();
    entry.namespace.close();
  }

  holds(key: AttachmentKey): boolean {
    return this.#entryByKey.has(keyText(key));
  }

  warnings(): Warning[] {
    return [...this.#entryByKey.values()].flatMap(({ end }) => end.warnings()).slice(0, MAX_WARNINGS);
  }

  /** Lets go of all of them without closing: another weftd is to hold them. */
  bequeath(): Bequest[] {
    const entries = [...this.#entryByKey.values()];
    this.#entryByKey.clear();
    this.#ends.pause();
    return entries.map(({ end, namespace }) => {
      end.stop();
      const { client, events } = end.handles;
      return {
        held: end.held,
        fds: [client.fd, events.fd, namespace.fd],
        close: () => {
          end.close();
          namespace.close();
        },
      };
    });
  }

  close(): void {
    for (const { close } of this.bequeath()) close();
  }

  /** Takes over `handles`, and closes them where it throws. */
  #entryOf(handles: PodHandles, held: HeldPod): Entry {
    const { clock, log, counters, settleMs = SETTLE_MS } = this.#options;
    const gone = (): void => this.release(held.attachment.key);
    const listener: HeldEndListener = {
      mended: (pod, found) => {
        counters.add('pods.mended');
        log.warn('the interface in a pod was changed and put right', { pod, found }, `mended ${pod}`);
      },
      failed: (pod, error) => {
        counters.add('pods.mendFailed');
        const fault = String(error);
        log.warn('the interface in a pod cannot be put right', { pod, fault }, `not mended ${pod}`);
      },
      gone,
    };
    let namespace: NamespaceEnd | undefined;
    try {
      namespace = this.#ends.await(handles.end, held.netnsName, gone);
      return { namespace, end: new HeldEnd(handles, held, { clock, settleMs, listener }) };
    } catch (error) {
      namespace?.close();
      handles.client.close();
      handles.events.close();
      throw error;
    }
  }
}
