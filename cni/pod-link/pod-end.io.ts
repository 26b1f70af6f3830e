import type { LinkReference } from '../../linux/rtnetlink/link.ts';
import { ROUTE_TABLE_MAIN } from '../../linux/rtnetlink/route.ts';
import type { RouteClient } from '../../linux/rtnetlink/route-client.io.ts';
import type { HeldPod } from '../needs.ts';
import { linkFaults, networkParts, type ObservedPodEnd, podEndFaults } from './pod-end.ts';

/** What a pod's namespace, of which `inside` is, has of the interface. */
export async function observePodEnd(inside: RouteClient, reference: LinkReference): Promise<ObservedPodEnd> {
  const link = await inside.link(reference);
  if (!link) return { link, addresses: [], routes: [], neighbours: [] };
  return {
    link,
    addresses: await inside.addresses(link.index),
    routes: [...(await inside.routes(4, ROUTE_TABLE_MAIN)), ...(await inside.routes(6, ROUTE_TABLE_MAIN))],
    neighbours: await inside.neighbours(),
  };
}

/**
 * What of the pod's end differs while the pod is being made: other plugins and networks may change it on purpose then, and
 * that is to be left alone. Not so what is missing since the interface was down meanwhile. Undefined: it is gone.
 */
export async function readLeftAlone(inside: RouteClient, held: HeldPod): Promise<string[] | undefined> {
  const observed = await observePodEnd(inside, held.link);
  if (!observed.link) return undefined;
  const wasDown = observed.link.carrierLosses !== held.carrierLosses;
  return podEndFaults(observed, held.attachment)
    .map(({ part }) => part)
    .filter((part) => !wasDown || part === 'mtu' || part === 'mac');
}

/**
 * Puts the pod's end right. Resolves with what was wrong, in words for people, or `gone` where the interface is no more.
 * Rejects with the first refusal of the kernel, after everything was tried. Its cost does not grow with what a pod has
 * set up in its namespace: nothing is listed. So a neighbour is set whether it was there or not, and not told of.
 */
export async function mendPodEnd(inside: RouteClient, held: HeldPod): Promise<string[] | 'gone'> {
  const { attachment, leftAlone = [] } = held;
  const link = await inside.link(held.link);
  if (!link) return 'gone';
  const parts = [...linkFaults(link, attachment), ...networkParts(link, attachment)].filter(
    ({ part }) => !leftAlone.includes(part),
  );
  const outcomes = await inside.attempt(...parts.map(({ request }) => request));
  const refusal = outcomes.find((error) => error && error.code !== 'EEXIST');
  if (refusal) throw refusal;
  return parts
    .filter(({ part }, i) => outcomes[i] === undefined && !part.startsWith('neighbour'))
    .map(({ fault }) => fault);
}
