import type { KubeUser } from './access/kube-user.io.ts';
import type { Viewer } from './picture/picture.ts';

/** Somebody who has a session: who came by a link sees everything, who gave a token of Kubernetes what that user may. */
export interface UiUser {
  /** Undefined: by a link. */
  readonly kube: KubeUser | undefined;
}

const EVERYTHING: Viewer = { user: null, namespaces: null, seesNodes: true };

/** What they may see, as far as that is known. */
export function viewerOf({ kube }: UiUser): Viewer {
  return kube === undefined ? EVERYTHING : kube.viewer;
}
