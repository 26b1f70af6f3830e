import type { PeerId } from '../../base/peer-id.ts';
import { MAX_CURSOR_LENGTH } from '../../control/flow-request.ts';

/** Digits of a peer id that are enough to tell the nodes of one cluster apart. */
const ID_DIGITS = 16;

/** Where a reader of the whole cluster is, on each node. It is the reader who keeps it: nothing of it is held here. */
export class ClusterCursor {
  readonly #cursorById: Map<string, string>;

  private constructor(cursorById: Map<string, string>) {
    this.#cursorById = cursorById;
  }

  /** Of a reader's text; what is none of ours is as if it were at the beginning everywhere. */
  static read(text: string): ClusterCursor {
    const pairs = text.split(',').map((pair) => pair.split(':', 2) as [string, string?]);
    return new ClusterCursor(
      new Map(pairs.flatMap(([id, cursor = '']) => (isCursor(cursor) ? [[id, cursor]] : []))),
    );
  }

  text(): string {
    return [...this.#cursorById].map((pair) => pair.join(':')).join(',');
  }

  /** Empty where the reader begins. */
  of(peer: PeerId): string {
    return this.#cursorById.get(peer.slice(0, ID_DIGITS)) ?? '';
  }

  /** Forgets all nodes but `members`. */
  keep(members: readonly PeerId[]): void {
    const ids = new Set(members.map((peer) => peer.slice(0, ID_DIGITS)));
    for (const id of this.#cursorById.keys()) if (!ids.has(id)) this.#cursorById.delete(id);
  }

  set(peer: PeerId, cursor: string): void {
    this.#cursorById.set(peer.slice(0, ID_DIGITS), cursor);
  }
}

/** Whether it may be a cursor of a node. */
export function isCursor(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_CURSOR_LENGTH && /^[\w.-]+$/.test(text);
}
