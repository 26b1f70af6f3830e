import { run } from '../../cluster/command.ts';
import { BRIDGE_PODS, bridgePods, INTERNET, OUTSIDE, underlay } from './addresses.ts';
import type { Machine } from './machine.ts';

/** Of the underlay. */
export const MTU = 1500;

/** Makes a machine the outside: the switch that all others plug into, and what their default routes lead to. */
export async function makeOutside(outside: Machine): Promise<void> {
  const { v4, v6 } = underlay(OUTSIDE);
  await ip(outside, [
    'link add br0 type bridge forward_delay 0',
    `link set br0 mtu ${MTU} up`,
    `addr add ${v4}/24 dev br0`,
    `addr add ${v6}/64 dev br0 nodad`,
    `addr add ${INTERNET.v4}/32 dev lo`,
    `addr add ${INTERNET.v6}/128 dev lo nodad`,
  ]);
  // A switch looks at no packet.
  await sysctl(outside, ['net.bridge.bridge-nf-call-iptables=0', 'net.bridge.bridge-nf-call-ip6tables=0']);
}

/** Plugs a machine into the outside's switch, where its port has its name, and gives `eth0` its addresses. */
export async function plugIn(machine: Machine, outside: Machine): Promise<void> {
  const { name, pid } = machine;
  const { v4, v6 } = underlay(machine.state.number);
  const gateway = underlay(OUTSIDE);
  // Its card keeps its hardware address over a power cycle, or neighbours would go on sending to the old one.
  const mac = `02:77:00:00:00:${machine.state.number.toString(16).padStart(2, '0')}`;
  await ip(outside, [
    `link add ${name} mtu ${MTU} type veth peer name eth0 address ${mac} mtu ${MTU} netns ${pid}`,
    `link set ${name} master br0 up`,
  ]);
  await ip(machine, [
    'link set eth0 up',
    `addr add ${v4}/24 dev eth0`,
    `addr add ${v6}/64 dev eth0 nodad`,
    `route add default via ${gateway.v4}`,
    `-6 route add default via ${gateway.v6}`,
  ]);
}

/** For `--cni bridge`: the way to the pods of a node, from another machine. Harmless when repeated. */
export async function routeToPods(machine: Machine, node: number): Promise<void> {
  const pods = bridgePods(node);
  const via = underlay(node);
  await ip(machine, [`route replace ${pods.v4} via ${via.v4}`, `-6 route replace ${pods.v6} via ${via.v6}`]);
}

/** For `--cni bridge`: what pods send to anything but pods and the underlay leaves with the node's address. */
export async function masqueradePods(node: Machine): Promise<void> {
  const input = `table inet lab {
    chain postrouting {
      type nat hook postrouting priority srcnat;
      ip saddr ${BRIDGE_PODS.v4} ip daddr != { ${BRIDGE_PODS.v4}, 192.168.77.0/24, 224.0.0.0/4 } masquerade
      ip6 saddr ${BRIDGE_PODS.v6} ip6 daddr != { ${BRIDGE_PODS.v6}, fd77::/64, ff00::/8 } masquerade
      ip saddr ${BRIDGE_PODS.v4} ip daddr ${underlay(OUTSIDE).v4} masquerade
      ip6 saddr ${BRIDGE_PODS.v6} ip6 daddr ${underlay(OUTSIDE).v6} masquerade
    }
  }\n`;
  await run(inNetwork(node, ['nft', '-f', '-']), { input });
}

async function ip(machine: Machine, lines: readonly string[]): Promise<void> {
  // -batch knows no family for one line, so IPv6 lines go in a batch of their own.
  for (const family of ['-4', '-6']) {
    const own = lines.filter((line) => line.startsWith('-6 ') === (family === '-6'));
    if (own.length === 0) continue;
    const input = `${own.map((line) => line.replace(/^-6 /, '')).join('\n')}\n`;
    const flags = family === '-6' ? ['-6'] : [];
    await run(inNetwork(machine, ['ip', ...flags, '-batch', '-']), { input });
  }
}

async function sysctl(machine: Machine, settings: readonly string[]): Promise<void> {
  await machine.run(['sysctl', '-q', '-e', '-w', ...settings]);
}

/** A veth's other end is named by a process id of ours, which the machine itself does not know. */
function inNetwork(machine: Machine, argv: readonly string[]): string[] {
  return ['nsenter', '-t', String(machine.pid), '-n', '--', ...argv];
}
