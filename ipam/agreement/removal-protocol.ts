import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { IpamMessage } from '../model/messages.ts';
import type { MissingVotes, RemovalProgress, RemoveFailure, RequestId } from '../model/types.ts';

/**
 * How a node takes part in the removal of peers that are gone for good. Two ways come to the same: by the votes of a
 * council (council-removal.ts), or by an authority outside that lets one writer win (authority-removal.ts).
 */
export interface RemovalProtocol {
  /** The removals that this node drives. */
  pending(): RemovalProgress[];
  /** Starts one; its outcome comes by {@link RemovalDone}, perhaps at once. */
  remove(request: RequestId, subject: PeerId, now: Instant): void;
  /** A message of a peer that concerns a removal. */
  handle(from: PeerId, message: IpamMessage, now: Instant): void;
  /** Also to be called when the ring or a peer's state has changed. */
  tick(now: Instant): void;
  nextTimeout(): Instant | undefined;
}

/** Told once for each request: `failure` undefined where the ranges are ours now. */
export type RemovalDone = (
  request: RequestId,
  peer: PeerId,
  failure: RemoveFailure | undefined,
  missing?: MissingVotes,
) => void;
