import type { WarningTable } from '../base/warning.ts';

/** What other programs on the host do to the network of pods, and what Weft cannot put right itself. */
export const GROUND_WARNINGS = {
  W_REPAIR_UNDONE: {
    message: '{found}: {who} undoes the repair, {repairs} times in {minutes} min',
    remedy: "stop it, or have it leave what is Weft's",
  },
  E_ROUTE_MASKS_PODS: {
    message: 'the route {route}{where} takes packets for pods ({range}), which are dropped',
    remedy: 'remove it (ip route del {route}), or have the program that made it leave out the pod range',
  },
  E_RULE_MASKS_PODS: {
    message:
      'the routing rule {priority} (lookup {table}) takes packets for pods ({range}), which are dropped',
    remedy: 'let the main table come first: ip -{family} rule add to {range} lookup main pref {before}',
  },
  E_FORWARD_DROPPED: {
    message: 'the chain {chain} of the {filter} table {table} drops what is forwarded between pods',
    remedy: 'let them pass: {commands}',
  },
  E_HOST_NETWORK: {
    message: "the host's network cannot be put right: {fault}",
    remedy: 'weftd tries again',
  },
} as const satisfies WarningTable;
