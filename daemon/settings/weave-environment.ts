import { WeftError } from '../../base/weft-error.ts';
import { AUTO_DATAPATH, PORTABLE_DATAPATH } from '../../router/datapath/choose-datapath.ts';

/** What a variable of Weave Net's DaemonSet becomes here, or why it is refused. */
type Translation =
  | { readonly setting: string; readonly convert?: (text: string) => string }
  /** Why, and what to do; `onHost` where that differs on a plain host. */
  | { readonly refused: string; readonly onHost?: string }
  | { readonly ignored: true };

/** The variables that users of Weave Net's manifest know. */
const WEAVE_VARIABLES: Readonly<Record<string, Translation>> = {
  IPALLOC_RANGE: { setting: 'WEFT_IPALLOC_RANGE' },
  IPALLOC_RANGE6: { setting: 'WEFT_IPALLOC_RANGE6' },
  KUBE_PEERS: {
    setting: 'WEFT_PEER',
    convert: (text) =>
      text
        .trim()
        .split(/[\s,]+/)
        .join(','),
  },
  WEAVE_MTU: { setting: 'WEFT_MTU' },
  WEAVE_NO_FASTDP: {
    setting: 'WEFT_DATAPATH',
    convert: (text) => (isOn(text) ? PORTABLE_DATAPATH : AUTO_DATAPATH),
  },
  WEAVE_METRICS_ADDR: {
    setting: 'WEFT_METRICS_LISTEN',
    convert: (text) => (text.startsWith(':') ? `0.0.0.0${text}` : text),
  },
  // Weft never changes the source of what comes in, which is what this asked for.
  NO_MASQ_LOCAL: { ignored: true },
  // The ring begins by a create-once object; there is nothing left to choose.
  IPALLOC_INIT: {
    refused: 'the ring of addresses begins by itself; remove it',
    onHost: 'set WEFT_IPALLOC_INIT instead',
  },
  WEAVE_PASSWORD: {
    refused: 'traffic is always encrypted, by the cluster secret; remove it',
  },
  CONN_LIMIT: { refused: 'a node keeps about eight links at any size of the cluster; remove it' },
  HAIRPIN_MODE: { refused: 'pods always reach themselves through a Service; remove it' },
  IPTABLES_BACKEND: { refused: 'rules are set by nftables; remove it' },
  EXPECT_NPC: { refused: 'policies need no setting of the router; remove it' },
  WEAVE_EXPOSE_IP: { refused: 'each node has an address of its own in the range; remove it' },
  WEAVE_STATUS_ADDR: { refused: 'set WEFT_HEALTH_LISTEN instead' },
  EXTRA_ARGS: { refused: 'set WEFT_… variables, each named after a flag, instead' },
};

/**
 * The environment with Weave Net's variables put into Weft's words, for the users of its manifest. A variable that
 * means nothing any more, and any other `WEAVE_…`, is a fault that names it: a setting that is silently without effect
 * is worse than none. On a plain host only names that begin with `WEAVE_` or `IPALLOC_` are taken for Weave Net's: others,
 * such as EXTRA_ARGS, may be meant for any program. A variable that is empty counts as not given. Weft's own variables win over translated ones.
 */
export function translateWeaveEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  { underKubernetes }: { readonly underKubernetes: boolean },
  faults: WeftError[],
): Record<string, string | undefined> {
  const out: Record<string, string | undefined> = {};
  for (const [name, text] of Object.entries(env)) {
    const isWeaves = underKubernetes || /^(WEAVE_|IPALLOC_)/.test(name);
    const known = isWeaves ? WEAVE_VARIABLES[name] : undefined;
    if (known === undefined && !name.startsWith('WEAVE_')) out[name] ??= text;
    else if (text === undefined || text === '') continue;
    else if (known === undefined) faults.push(refusal(name, 'Weft knows no such setting; remove it'));
    else if ('refused' in known)
      faults.push(refusal(name, (underKubernetes ? undefined : known.onHost) ?? known.refused));
    else if ('setting' in known && env[known.setting] === undefined)
      out[known.setting] = known.convert?.(text) ?? text;
  }
  return out;
}

function refusal(name: string, remedy: string): WeftError {
  return new WeftError('E_CONFIG_UNKNOWN', `environment variable ${name} has no meaning for Weft`, remedy);
}

function isOn(text: string): boolean {
  return text !== '0' && text !== 'false';
}
