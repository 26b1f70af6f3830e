import { textHash } from '../../base/text-hash.ts';
import { isRecord } from '../../kube/objects.ts';
import type { WarningEvent } from './warning-events.ts';

/** The DaemonSet of the manifest, on which stands what concerns the whole cluster. */
export const DAEMON_SET = 'weft';
/** Where events on what lies in no namespace are. */
const NODE_EVENTS_NAMESPACE = 'default';

/** Who tells, and of what. */
interface EventTeller {
  readonly nodeName: string;
  /** Weft's own. */
  readonly namespace: string;
  /** Of the DaemonSet; undefined where it is not known, and `kubectl describe` then does not find the event. */
  readonly daemonSetUid: string | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Path of the event's namespace, and its name: the same for the same words, whoever tells them and however often weftd starts. */
export function eventPlace(
  { code, subject, note }: WarningEvent,
  { nodeName, namespace }: Pick<EventTeller, 'nodeName' | 'namespace'>,
): { readonly path: string; readonly namespace: string; readonly name: string } {
  const isOfNode = subject === 'node';
  const words = textHash(`${code} ${note}`).toString(16).padStart(8, '0');
  const at = isOfNode ? NODE_EVENTS_NAMESPACE : namespace;
  const name = `${isOfNode ? nodeName.slice(0, 200) : DAEMON_SET}.weftd.${words}`;
  return { path: `/apis/events.k8s.io/v1/namespaces/${at}/events`, namespace: at, name };
}

/** The event (events.k8s.io/v1) for a warning. Its reason is the code in the way of Kubernetes: NoPodAddress. */
export function eventObject(event: WarningEvent, teller: EventTeller): Record<string, unknown> {
  const { nodeName, daemonSetUid, at } = teller;
  const { namespace, name } = eventPlace(event, teller);
  const { code, note, subject } = event;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name, namespace },
    eventTime: microTime(at),
    reportingController: 'weftd',
    reportingInstance: nodeName,
    action: 'Warn',
    reason: reasonOf(code),
    type: 'Warning',
    note,
    regarding:
      subject === 'node'
        ? // As the kubelet does: `kubectl describe node` looks for the name in the place of the UID.
          { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName }
        : {
            apiVersion: 'apps/v1',
            kind: 'DaemonSet',
            namespace,
            name: DAEMON_SET,
            ...(daemonSetUid === undefined ? {} : { uid: daemonSetUid }),
          },
  };
}

/** A merge patch that counts an event up. `times`: how often it was seen, this time included. */
export function seriesPatch(times: number, at: number): Record<string, unknown> {
  return { series: { count: Math.max(2, times), lastObservedTime: microTime(at) } };
}

/** How often an event that the API holds was seen. */
export function timesSeen(value: unknown): number {
  const series = isRecord(value) ? value.series : undefined;
  const count = isRecord(series) ? series.count : undefined;
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 1;
}

/** RFC 3339 with microseconds, as MicroTime is. */
function microTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, -1)}000Z`;
}

function reasonOf(code: string): string {
  const words = code
    .replace(/^[EW]_/, '')
    .toLowerCase()
    .split('_');
  return words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('');
}
