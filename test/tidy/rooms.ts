import { isProduct, type SourceFile } from './source.ts';

/**
 * What each room may import of ours, beside itself and the folders within it. A room is a folder; a folder within a room
 * that has a rule of its own is a room of its own. A name on the right stands for the folder and all folders within it.
 * Tests, benchmarks and tools may import everything.
 */
export const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  base: [],
  crypto: ['base'],
  'gossip/model': ['base'],
  'gossip/records': ['base', 'gossip/model'],
  'gossip/swim': ['base', 'gossip/model'],
  'gossip/overlay': ['base', 'gossip/model', 'gossip/records', 'gossip/swim'],
  gossip: ['base'],
  linux: ['base'],
  native: ['base'],
  cni: ['base', 'linux'],
  ground: ['base', 'linux'],
  flows: ['base', 'linux'],
  'ipam/model': ['base', 'gossip/model'],
  'ipam/ring': ['base', 'ipam/model'],
  'ipam/allocation': ['base', 'ipam/model', 'ipam/ring'],
  'ipam/agreement': ['base', 'gossip/model', 'ipam/model', 'ipam/ring'],
  ipam: ['base', 'gossip/model'],
  // What weftd and weft-npc agree on, so neither of them is in it.
  'npc/gate': ['base', 'linux'],
  kube: ['base'],
  'npc/model': ['base', 'kube'],
  'npc/compiler': ['base', 'linux', 'npc/model'],
  host: ['base', 'native'],
  control: ['base', 'host', 'native'],
  doctor: ['base', 'control', 'ground', 'host', 'linux', 'native'],
  connectivity: ['base', 'control', 'doctor', 'host', 'kube', 'linux', 'native'],
  why: ['base', 'cni', 'control', 'doctor', 'ground', 'host', 'linux', 'native', 'npc/gate'],
  node: ['base', 'crypto', 'gossip', 'ipam', 'router'],
  'router/packet': ['base'],
  'router/datapath': ['base', 'crypto', 'router/packet'],
  'router/handshake': ['base', 'crypto', 'router/packet'],
  'router/tunnel': ['base', 'crypto', 'router/packet', 'router/datapath', 'router/handshake'],
  'router/link': ['base', 'crypto', 'gossip/model'],
  // The setting `--datapath` takes the names of the datapaths.
  'daemon/settings': ['base', 'host', 'router/datapath'],
  'daemon/state': ['base', 'crypto', 'gossip/model', 'host', 'ipam/model', 'native'],
  // The program weft-npc, put together as weftd is.
  npc: ['base', 'control', 'host', 'kube', 'linux', 'native'],
  // What else is in daemon/ puts all rooms together into one program.
  daemon: [
    'base',
    'cni',
    'control',
    'crypto',
    'doctor',
    'flows',
    'gossip',
    'ground',
    'host',
    'ipam',
    'kube',
    'linux',
    'native',
    'node',
    'npc/gate',
    'router',
    'why',
  ],
  'ui/picture': ['base', 'control'],
  // `weft ui`, which the command itself serves.
  ui: ['base', 'control', 'host', 'kube'],
  // `weft reset` is the daemon's work, done by the command itself where no daemon runs.
  cli: ['base', 'connectivity', 'control', 'crypto', 'daemon', 'doctor', 'host', 'ui', 'why'],
};
/** Rooms whose shells (`*.io.ts`) may use the addon. */
export const SHELLS_WITH_ADDON = ['linux', 'cni', 'ground', 'router/datapath'];

/** The room in which a file lies: the longest name of {@link ALLOWED} that leads to it, else its first folder. */
export function roomOf(path: string): string {
  const parts = path.split('/').slice(0, -1);
  for (let length = parts.length; length > 0; length--) {
    const room = parts.slice(0, length).join('/');
    if (ALLOWED[room] !== undefined) return room;
  }
  return parts[0] ?? '';
}

/** Which rooms each room of the product imports, as its files do. A folder without a rule is a room here, too. */
export function importsByRoom(files: readonly SourceFile[]): Map<string, Set<string>> {
  const roomsByRoom = new Map<string, Set<string>>();
  for (const { path, imports } of files.filter((file) => isProduct(file.path))) {
    const rooms = roomsByRoom.get(roomOf(path)) ?? new Set();
    roomsByRoom.set(roomOf(path), rooms);
    for (const { target } of imports) if (target !== undefined) rooms.add(roomOf(target));
    rooms.delete(roomOf(path));
  }
  return roomsByRoom;
}
