import { hex } from '../../base/bytes.ts';
import { formatRange, type Range } from '../../base/range.ts';
import { WeftError } from '../../base/weft-error.ts';
import { parseClusterSecret } from '../../crypto/cluster-secret.ts';
import { clock } from '../../host/clock.io.ts';
import type { Log } from '../../host/log.ts';
import { osRandom } from '../../host/os-random.io.ts';
import { ownVersion } from '../../host/version.io.ts';
import { textOfBase64 } from '../../kube/base64.ts';
import { readChainNames } from '../../linux/nftables.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import type { PeerSeeds } from '../peer-seeds.io.ts';
import type { Config } from '../settings/config.ts';
import { keepObjects } from '../state/kept-objects.io.ts';
import { readSecretFile } from '../state/secret-file.io.ts';
import { nameOf } from '../status/status-context.ts';
import { isCaretaker } from './gone-peers.ts';
import { KubernetesLink } from './kubernetes-link.io.ts';
import { policyEngineOf } from './policy-engine.ts';
import { removeGone } from './remove-gone.ts';
import { unreachedNodes } from './unreached-nodes.ts';

/** Whoever was not heard of for so long after our start is taken for dead. */
const GONE_AFTER_MS = 60_000;

/** Joins a node and the API of Kubernetes: what either says is handed to the other. */
export function linkToKubernetes(options: {
  readonly config: Config;
  readonly ranges: readonly Range[];
  readonly node: WeftNode;
  readonly seeds: PeerSeeds;
  readonly log: Log;
  readonly loop: Pick<NodeLoop, 'on' | 'wake'>;
  /** A bug. */
  readonly onFault: (error: unknown) => void;
}): KubernetesLink {
  const { config, ranges, node, seeds, log, loop, onFault } = options;
  const startedAt = clock();
  const ownSecret = (): string => readSecretFile(config.secretFile);
  const aliveOthers = () => node.gossip.members().filter(({ state }) => state === 'alive');
  const isCaretakerHere = (): boolean => {
    const withApi = aliveOthers().filter(({ info }) => info.authority);
    return isCaretaker(
      node.peer,
      withApi.map(({ peer }) => peer),
    );
  };
  const link = new KubernetesLink({
    env: process.env,
    version: ownVersion(),
    nodeName: config.name,
    port: config.port,
    ranges,
    random: osRandom,
    now: clock,
    log,
    policyEngine,
    cluster: { id: clusterIdOf(ownSecret()), idOf: clusterIdOf, secret: ownSecret },
    events: {
      found: (endpoints) => seeds.setFound(endpoints),
      genesis: (bytes) => {
        loop.wake();
        return node.ipam.genesisDecided(bytes, clock());
      },
      removals: (states) => {
        node.ipam.authorityShows(states, clock());
        loop.wake();
      },
      alone: () => aliveOthers().length === 0,
      caretaker: isCaretakerHere,
      nodes: (names) => {
        const settled = clock() - startedAt > GONE_AFTER_MS;
        removeGone(node, { ownName: config.name, nodeNames: names, settled, now: clock() });
        loop.wake();
        return unreachedNodes({ members: node.gossip.members(), nodeNames: names, now: clock() });
      },
      ownGenesis: () => node.ipam.genesis,
      keep: (namespace) => {
        const genesis = node.ipam.genesis;
        if (genesis === undefined) return;
        try {
          const objects = { namespace, secret: ownSecret().trim(), genesis: textOfBase64(genesis) };
          keepObjects(config.stateDir, objects);
        } catch (error) {
          if (!(error instanceof WeftError)) throw error;
          log.warn('what this node would put back into the API cannot be kept', { fault: error.line });
        }
      },
    },
  });
  loop.on('genesisWanted', ({ proposal }) => {
    void link.proposeGenesis(proposal, ranges.map(formatRange)).catch(onFault);
  });
  loop.on('removalProposed', ({ state }) => {
    const name = nameOf({ node, name: config.name }, state.subject);
    void link.proposeRemoval(state, name).catch(onFault);
  });
  return link;
}

/** Undefined where none is seen, or where nft cannot list what others have made. */
async function policyEngine(): Promise<string | undefined> {
  return policyEngineOf(await readChainNames().catch(() => new Set<string>()));
}

/** Hex of the cluster that a secret names. */
function clusterIdOf(secret: string): string {
  return hex(parseClusterSecret(secret).clusterId);
}
