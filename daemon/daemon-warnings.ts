import type { WarningTable } from '../base/warning.ts';
import { GENESIS_NAME } from '../kube/ring-object.ts';
import { SECRET_NAME } from '../kube/secret-object.ts';

/** What weftd itself warns of; what its cores warn of is declared in their rooms. */
export const DAEMON_WARNINGS = {
  E_GENESIS_DAMAGED: {
    message: 'the object that begins the ring is damaged',
    remedy: `delete ConfigMap ${GENESIS_NAME}: a node of the ring puts it back, or one makes it anew where there is no ring`,
  },
  E_OTHER_SECRET: {
    message: `Secret ${SECRET_NAME} is not the one of this node's cluster: new nodes do not reach this one`,
    remedy: 'delete the Secret, and a node of this cluster puts the right one back',
  },
  E_OTHER_RING: {
    message: `the ring (ConfigMap ${GENESIS_NAME}) is of a cluster with another secret than this node's`,
    remedy: `delete Secret ${SECRET_NAME}, which a node of that ring puts back, then this pod`,
  },
  W_POLICIES_UNENFORCED: {
    message:
      '{policies} not enforced: weftd runs without --policy, and no other policy controller is seen on this node',
    remedy: 'apply the manifest with weft-npc, run another controller, or do not rely on them',
  },
  W_NODES_UNREACHED: {
    message:
      'Weft has not reached these nodes of the cluster for more than 5 min: {nodes}; their pods are cut off from the others',
    remedy:
      "see that they run, and Weft on them ('kubectl -n weft get pods -o wide'), or delete the Nodes that are gone for good",
  },
  E_CONTROL_SOCKET: {
    message:
      'the control socket {path} was removed and cannot be made again, so no pod can be attached: {fault}',
    remedy: 'restart weftd (in Kubernetes: delete its pod)',
  },
  E_STATE_LOST: {
    message:
      '{path} was removed while weftd runs: what this node allocates is kept nowhere, and it cannot start again',
    remedy:
      "see what removes it; stop the pods of this node and run 'weft reset', so that it joins anew (in Kubernetes: drain the node and delete it first)",
  },
  E_NO_POD_ADDRESS: {
    message: 'no more pods can start here: {shortage}',
    remedy: "see 'weft ipam', and 'weft rmpeer' nodes that are gone for good: their ranges come back",
  },
  E_CNI_CONFIG_ORDER: {
    message: "the container runtime takes '{first}', which sorts before {ours}: new pods get another network",
    remedy: "remove '{first}', and the program that writes it",
  },
  E_NO_LOOPBACK_PLUGIN: {
    message: 'the CNI plugin loopback is not in {folder}: container runtimes start no pod without it',
    remedy: 'install the CNI plugins (containernetworking-plugins) there',
  },
  W_NO_PORTMAP_PLUGIN: {
    message: 'the CNI plugin portmap is not in {folder}: hostPorts of pods have no effect',
    remedy: 'install the CNI plugins (containernetworking-plugins) there',
  },
  W_CNI_FILES_CONTESTED: {
    message: 'something removes or changes {config} or {plugin} again and again (put back {repairs} times)',
    remedy: 'stop that program',
  },
  W_UNDERLAY_MTU: {
    message:
      'the MTU of the underlay is {now} now, and was {before} when weftd started: packets of pods, of up to {overlay}, take a detour until their size is known',
    remedy: 'restart weftd with a smaller --mtu, or with none; no path should carry less than 1416',
  },
  W_PEER_RECORD_REFUSED: {
    message: 'what the peer {name} says of itself is refused, since a field is out of bounds',
    remedy: 'run the same version on both nodes; weft report there says what it tells',
  },
  W_STRANGER_REFUSED: {
    message: '{from} connected {seconds} s ago and does not hold the secret of this cluster',
    remedy: 'if that is a host of yours, give it the secret file of this one',
  },
  W_PEER_NOT_REACHED: { message: 'peer {seed}: {reason} (for {since} s{next})', remedy: '{remedy}' },
  W_FEATURE_WRONG: {
    message: 'the datapath does without {feature}: {fault}',
    remedy: 'nothing is lost but speed; another kernel, Node.js or processor may have it right',
  },
  W_SHARED_NAME: {
    message: "{count} nodes are called '{name}' ({ids})",
    remedy: 'give each a name of its own with --name',
  },
  W_FOREIGN_ADDRESS: {
    message: '{container} uses {addresses}, which this node does not own',
    remedy: 'restart that pod',
  },
  W_REMOVAL_PENDING: {
    message: 'the removal of {peer} is under way',
    remedy: 'wait: it takes three minutes and more',
  },
} as const satisfies WarningTable;
