import type { LocalLink, PodAttachment } from './attachments.ts';
import type { Judged } from './decide.ts';
import type { Governed } from './governed-by.ts';

/** A link that is not decided, and why. */
export interface WaitingLink {
  readonly link: string;
  readonly pod: PodAttachment['pod'];
  /** unknown-pod: the API tells nothing of this pod on this node. nobody: it is not known whose the link is. */
  readonly reason: 'unknown-pod' | 'nobody';
}

/** What is known of the cluster, and of the namespaces in which a policy may select a pod. */
interface Told extends Judged {
  readonly governed: () => Governed;
}

/**
 * The links for which it can be spoken: those of pods of which the API has told, and of pods that no policy may select.
 * Where a ClusterNetworkPolicy may ask for labels of a pod's namespace, these must have been told, too.
 */
export function decidedLinks(links: Iterable<LocalLink>, told: Told): Set<string> {
  const decided = new Set<string>();
  for (const local of links) if (isDecided(local, told)) decided.add(local.attachment.link);
  return decided;
}

/** All others. */
export function waitingLinks(links: Iterable<LocalLink>, told: Told): readonly WaitingLink[] {
  return [...links]
    .filter((local) => !isDecided(local, told))
    .map(({ attachment: { link, pod } }) => ({ link, pod, reason: pod === null ? 'nobody' : 'unknown-pod' }));
}

function isDecided({ attachment, pod }: LocalLink, { cluster, policies, governed }: Told): boolean {
  if (attachment.ungoverned) return true;
  if (pod !== undefined) return cluster.knowsNamespace(pod.namespace) || !policies.hasClusterWide;
  const { all, namespaces, known } = governed();
  if (all) return false;
  if (attachment.pod === null) return namespaces.size === 0 && known === undefined;
  const { namespace } = attachment.pod;
  return !namespaces.has(namespace) && known?.has(namespace) !== false;
}
