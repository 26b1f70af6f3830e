import type { Range } from '../base/range.ts';
import { type Warning, warningOf } from '../base/warning.ts';
import type { ForwardDrop } from '../linux/forward-drops.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { readLegacyTables } from '../linux/legacy-tables.io.ts';
import { readForwardDrops } from '../linux/nftables.io.ts';
import type { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { GROUND_WARNINGS } from './ground-warnings.ts';
import type { HostKernel } from './host-kernel.io.ts';
import { masksOf, waysOut } from './masks.ts';

/** Routes and rules of policy routing of other programs that lead packets for pods elsewhere. */
export async function readMasks(
  client: RouteClient,
  ground: OwnLinks & { readonly ranges: readonly Range[] },
): Promise<Warning[]> {
  const links = await client.links();
  const routes = [...(await client.routes(4)), ...(await client.routes(6))];
  const rules = [...(await client.rules(4)), ...(await client.rules(6))];
  const linkByIndex = new Map(links.map((link) => [link.index, link]));
  return masksOf({ routes, rules, linkByIndex }, ground);
}

/** Interfaces of default routes that do not forward IPv4, though the host does. What is sent by them goes out all the same. */
export async function readDeafLinks(
  { client, sysctl }: HostKernel,
  ground: OwnLinks & { readonly ranges: readonly Range[] },
): Promise<Warning[]> {
  if (!ground.ranges.some(({ family }) => family === 4)) return [];
  const linkByIndex = new Map((await client.links()).map((link) => [link.index, link]));
  return waysOut(await client.routes(4), linkByIndex, ground)
    .filter((link) => sysctl.read(`net/ipv4/conf/${link}/forwarding`) === '0')
    .map((link) => {
      // sysctl(8) takes a dot in a name for what separates.
      const setting = `net.ipv4.conf.${link.replaceAll('.', '/')}.forwarding`;
      return warningOf(GROUND_WARNINGS, 'E_LINK_NOT_FORWARDING', { link, setting });
    });
}

/** Chains of nftables, also those of iptables-nft, that drop what is forwarded between pods. */
export async function readForwardHindrances(own: OwnLinks): Promise<Warning[]> {
  return (await readForwardDrops(own)).map((drop) => warningOfDrop(drop, own));
}

/** The same of the old iptables, and what of it cannot be read here, by the name of the program. */
export async function readLegacyHindrances(
  own: OwnLinks,
): Promise<{ readonly drops: Warning[]; readonly unread: string[] }> {
  const { drops, unread } = await readLegacyTables(own);
  return { drops: drops.map((drop) => warningOfDrop(drop, own)), unread: unread.map(programOf) };
}

/** Names the chain and the commands that let pods pass. */
function warningOfDrop(drop: ForwardDrop, { tun, podPrefix }: OwnLinks): Warning {
  const { family, table, chain } = drop;
  const isIptables = table === 'filter' && chain === 'FORWARD' && family !== 'inet';
  const commands = isIptables
    ? ['-i', '-o'].flatMap((way) =>
        [`${podPrefix}+`, tun].map((name) => `${programOf(drop)} -I ${chain} ${way} ${name} -j ACCEPT`),
      )
    : ['iifname', 'oifname'].map(
        (way) => `nft insert rule ${family} ${table} ${chain} ${way} '{ "${podPrefix}*", "${tun}" }' accept`,
      );
  const filter = drop.legacy ? programOf(drop) : 'nftables';
  const values = { chain, filter, table: `${family} ${table}`, commands: commands.join('; ') };
  return warningOf(GROUND_WARNINGS, 'E_FORWARD_DROPPED', values);
}

function programOf({ family, legacy }: ForwardDrop): string {
  return `${family === 'ip6' ? 'ip6tables' : 'iptables'}${legacy ? '-legacy' : ''}`;
}
