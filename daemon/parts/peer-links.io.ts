import { clock } from '../../host/clock.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { TcpLinks } from '../../router/link/tcp-links.io.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import { type Config, listenHosts } from '../settings/config.ts';

/** The TCP connections to peers. */
interface PeerLinks {
  close(): void;
}

/** Listens for peers, and joins their connections to the node. Rejects with E_PORT_TAKEN, E_LISTEN. */
export async function openPeerLinks(options: {
  readonly config: Pick<Config, 'port' | 'listen'>;
  readonly node: Pick<
    WeftNode,
    'linkAccepted' | 'linkConnected' | 'linkReceived' | 'linkCongested' | 'linkLost'
  >;
  readonly loop: Pick<NodeLoop, 'waking' | 'on'>;
}): Promise<PeerLinks> {
  const { config, node, loop } = options;
  const hosts = listenHosts(config);
  const links = await TcpLinks.listen(hosts.length === 0 ? ['::'] : hosts, config.port, {
    accepted: loop.waking((remote, local) => node.linkAccepted(remote, clock(), local)),
    connected: loop.waking((link, local) => node.linkConnected(link, local)),
    received: loop.waking((link, bytes) => node.linkReceived(link, bytes, clock())),
    congested: loop.waking((link, congested) => node.linkCongested(link, congested, clock())),
    closed: loop.waking((link, errno) => node.linkLost(link, clock(), errno)),
  });
  loop.on('dial', ({ link, endpoint }) => links.dial(link, endpoint));
  loop.on('write', ({ link, bytes }) => links.write(link, bytes));
  loop.on('close', ({ link }) => links.close(link));
  loop.on('cut', ({ link }) => links.cut(link));
  return { close: () => links.closeAll() };
}
