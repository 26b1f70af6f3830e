import type { Setting, SettingTable } from '../../host/settings/setting.ts';

const SETTINGS = {
  'node-name': { kind: 'one', value: 'NAME', help: 'of this node in Kubernetes (default: the host name)' },
  'run-dir': {
    kind: 'one',
    value: 'DIR',
    help: "weftd's run folder, and the control socket weft-npc.sock (default: /run/weft)",
  },
  'state-dir': {
    kind: 'one',
    value: 'DIR',
    help: 'which namespaces have policies, for weftd, and the lock (default: /var/lib/weft-npc)',
  },
  kubeconfig: {
    kind: 'one',
    value: 'FILE',
    help: 'how to reach the API of Kubernetes (default: as a pod, by its service account)',
  },
  'health-listen': {
    kind: 'one',
    value: 'ENDPOINT',
    help: 'answer /healthz and /readyz (rules are loaded) by HTTP there, as 127.0.0.1:6785 (default: nowhere)',
  },
  'metrics-listen': {
    kind: 'one',
    value: 'ENDPOINT',
    help: 'answer Prometheus at /metrics by HTTP there, as 192.0.2.1:6781, to whoever can reach it (default: nowhere)',
  },
  reject: {
    kind: 'switch',
    help:
      'answer what a pod of this node begins and policies deny, by a TCP reset or an ICMP message, so that it fails at ' +
      'once (default: off, it is dropped)',
  },
  'drop-log': {
    kind: 'switch',
    help: 'log packets that policies deny, with pods, port and policies, 20 a second at most (default: on)',
  },
  'log-level': { kind: 'one', value: 'LEVEL', help: 'error, warn, info or debug (default: info)' },
  'log-format': { kind: 'one', value: 'FORMAT', help: 'text or json (default: text)' },
} as const satisfies Record<string, Setting>;

export type NpcSettingName = keyof typeof SETTINGS;

/** The settings of weft-npc. */
export const NPC_SETTING_TABLE: SettingTable<NpcSettingName> = {
  program: 'weft-npc',
  prefix: 'WEFT_NPC_',
  settings: SETTINGS,
};
