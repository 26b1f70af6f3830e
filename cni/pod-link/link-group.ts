import { assert } from '../../base/assert.ts';
import { writeU32LE } from '../../base/bytes.ts';
import { join, u32Attribute } from '../../linux/netlink-message.ts';
import { command, type NetlinkRequest } from '../../linux/netlink-request.ts';
import { deleteLink } from '../../linux/rtnetlink/link.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const IFLA_GROUP = 27;
const HEADER_LENGTH = 16;

/**
 * The requests that delete all of `links` (indexes, at least one) in one act of the kernel: they are put into group
 * `group`, which nothing else on the host uses, and the group is deleted. One act waits once for the kernel's grace
 * periods, where separate deletions wait each. A link of ours that was left in the group by a crash goes along: it
 * was to be deleted, too.
 */
export function deleteLinkGroup(links: readonly number[], group: number): NetlinkRequest[] {
  assert(links.length > 0 && group > 0, 'there is something to delete, and its group is not the default one');
  if (links.length === 1) return [deleteLink(links[0]!)];
  const inGroup = u32Attribute(IFLA_GROUP, group);
  return [
    ...links.map((link) => command(`group link ${link}`, RTM_NEWLINK, 0, join([header(link), inGroup]))),
    command(`delete ${links.length} links`, RTM_DELLINK, 0, join([header(0), inGroup])),
  ];
}

/**
 * ```
 *   0        1     2          4       8       12            16
 *   | family | pad | dev type | index | flags | change mask |
 * ```
 */
function header(link: number): Uint8Array {
  const out = new Uint8Array(HEADER_LENGTH);
  writeU32LE(out, 4, link);
  return out;
}
