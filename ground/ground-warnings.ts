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
    message: 'the routing rule {priority} ({what}) takes packets for pods ({range}), which are dropped',
    remedy: 'let the main table come first: ip -{family} rule add to {range} lookup main pref {before}',
  },
  E_ADDRESS_MASKS_PODS: {
    message:
      'the host takes {address} for its own (on {link}): packets for pods there ({range}) end at the host',
    remedy:
      'remove that address (ip address del {address} dev {link}), or that route (ip route del local {address} dev {link})',
  },
  E_NO_RULE_TO_MAIN: {
    message: 'no routing rule leads to the main table, so nothing leads packets to pods ({range})',
    remedy: 'put it back: ip -{family} rule add lookup main pref 32766',
  },
  E_LINK_NOT_FORWARDING: {
    message: '{setting} is 0: what comes in by {link} for pods, as answers from outside, is dropped',
    remedy: 'let it forward: sysctl -w {setting}=1',
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
