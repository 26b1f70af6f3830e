import { HOST_LINK_PREFIX } from '../cni/host-link-name.ts';
import type { OwnLinks } from '../linux/host-survey.ts';

/** Names of everything of ours in the kernel. */
export const OWN_LINKS: OwnLinks = { tun: 'weft0', podPrefix: HOST_LINK_PREFIX };
