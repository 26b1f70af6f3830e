import { readFileSync } from 'node:fs';
import type { Machine } from './harness/machine.ts';

/** Where kube-apiserver writes what it was asked, on the control plane's machine. */
export const AUDIT_LOG = '/var/log/kube-audit.log';

/** Who asked is written down for Weft's service account alone, and not what was said. */
export const AUDIT_POLICY = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', users: ['system:serviceaccount:weft:weft'] }, { level: 'None' }],
});

/** One request of Weft to the API server. */
export interface ApiRequest {
  /** The node whose pod asked. */
  readonly node: string;
  /** `watch configmaps`, `list nodes`. */
  readonly what: string;
  /** When it came, in milliseconds since 1970. */
  readonly at: number;
}

/** As much as is read of a line of the log (audit.k8s.io/v1, Event). */
interface AuditEvent {
  readonly auditID: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: { readonly resource?: string };
  readonly user: { readonly extra?: Readonly<Record<string, readonly string[]>> };
}

/** All requests of Weft since the lab is up, each once, whether it is over or, as a watch, still goes on. */
export function apiRequests(controlPlane: Machine): ApiRequest[] {
  const text = readFileSync(`${controlPlane.folder}${AUDIT_LOG}`, 'utf8');
  const requestById = new Map<string, ApiRequest>();
  for (const line of text.split('\n').slice(0, -1)) {
    // the last one may be half written
    const event = JSON.parse(line) as AuditEvent; // one for each stage of a request
    requestById.set(event.auditID, {
      node: event.user.extra?.['authentication.kubernetes.io/node-name']?.[0] ?? 'unknown',
      what: `${event.verb} ${event.objectRef?.resource ?? event.requestURI}`,
      at: Date.parse(event.requestReceivedTimestamp),
    });
  }
  return [...requestById.values()];
}
