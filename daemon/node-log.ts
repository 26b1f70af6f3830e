import { shortPeerId } from '../base/peer-id.ts';
import type { Log } from '../host/log.ts';
import type { NodeOutput } from '../node/node-types.ts';

/** Writes what a person should know of a node's news. */
export function logNodeOutput(log: Log, out: NodeOutput): void {
  switch (out.type) {
    case 'member':
      log.info(`peer is ${out.state}`, { peer: shortPeerId(out.peer), name: out.name }, `member ${out.peer}`);
      return;
    case 'tunnel': {
      const { peer, name, state, path } = out;
      const way = path?.kind === 'direct' ? { endpoint: path.endpoint } : {};
      const relay = path?.kind === 'relay' ? { via: shortPeerId(path.via) } : {};
      const fields = { peer: shortPeerId(peer), name, ...way, ...relay };
      if (state !== 'unreachable') log.info(`tunnel is ${state}`, fields, `tunnel ${peer}`);
      else {
        const reason = 'no datagram was answered, directly or by a relay';
        log.warn('tunnel is unreachable', { ...fields, reason }, `tunnel ${peer}`);
      }
      return;
    }
    case 'strangerRefused':
      log.warn('somebody connected who does not hold the secret of this cluster', {
        from: out.remote,
        remedy: 'if it is a host of yours, give it the secret file of this one',
      });
      return;
    case 'fault':
      log[out.fault.severity === 'error' ? 'error' : 'warn'](out.fault.message, {
        code: out.fault.code,
        remedy: out.fault.remedy,
      });
      return;
    case 'selfRemoved':
      log.error('this node was removed from the ring', {
        remedy: 'empty its state folder to join as a new node, and restart its pods',
      });
      return;
    case 'disk':
      if (out.fault === undefined) log.info('the disk has room again');
      else
        log.error(out.fault.message, {
          code: out.fault.code,
          remedy: 'free some space; pods wait for addresses',
        });
      return;
    case 'recordRefused': {
      const remedy = 'run the same version on both nodes; weft report there says what it tells of itself';
      const fields = { peer: shortPeerId(out.peer), remedy };
      log.warn(
        'what a peer says of itself is refused: a field is out of bounds',
        fields,
        `record ${out.peer}`,
      );
      return;
    }
    case 'equivocation':
      log.warn('a peer signed two different records at once: it was cloned or restored', {
        peer: shortPeerId(out.peer),
      });
      return;
    case 'allocateFailed':
      log.warn('no address for a pod', { container: out.key.containerId, reason: out.reason });
      return;
    case 'removed':
      log.info('the ranges of a removed peer are ours', { peer: shortPeerId(out.peer) });
      return;
    default:
      return;
  }
}
