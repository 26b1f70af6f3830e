import type { PeerId } from '../../base/peer-id.ts';
import type { Authority, RemovalState } from '../model/authority.ts';
import type { IpamConfig } from '../model/ipam-config.ts';
import type { IpamMessage } from '../model/messages.ts';
import type { IpamStore } from '../model/store.ts';
import type { IpamOutput } from '../model/types.ts';
import type { OwnLog } from '../ring/own-log.ts';
import type { Ring } from '../ring/ring.ts';
import type { NewEntry } from '../ring/ring-log.ts';
import { AuthorityRemoval } from './authority-removal.ts';
import { CouncilRemoval } from './council-removal.ts';
import type { RemovalDone, RemovalProtocol } from './removal-protocol.ts';

/** The part in removals that a node has: by the authority outside where its mode says so, else by votes. */
export function chooseRemovalProtocol(node: {
  readonly self: PeerId;
  readonly config: IpamConfig;
  readonly ring: Ring;
  readonly log: OwnLog;
  readonly store: IpamStore;
  readonly authority: Authority;
  readonly isAlive: (peer: PeerId) => boolean;
  readonly send: (to: PeerId, message: IpamMessage) => void;
  readonly emit: (out: IpamOutput) => void;
}): RemovalProtocol {
  const { self, config, ring, log, store, authority, isAlive, send, emit } = node;
  const append = (entries: readonly NewEntry[]): boolean => log.operational && log.append(entries);
  const done: RemovalDone = (request, peer, reason, missing) => {
    if (reason === undefined) emit({ type: 'removed', request, peer });
    else emit({ type: 'removeFailed', request, peer, reason, ...(missing ? { missing } : {}) });
  };
  const common = { self, ring, safeWaitMs: config.safeWaitMs, isAlive, append, done };
  if (config.init.mode !== 'authority') return new CouncilRemoval({ ...common, store, send });
  const propose = (state: RemovalState): void => emit({ type: 'removalProposed', state });
  return new AuthorityRemoval({ ...common, authority, propose });
}
