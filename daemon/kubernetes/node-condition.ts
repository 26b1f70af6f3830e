import type { Instant } from '../../base/instant.ts';
import type { Readiness } from '../../host/health-server.io.ts';
import { isRecord } from '../../kube/objects.ts';

/** What the condition NetworkUnavailable of a Node says. */
export interface NetworkCondition {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** A weftd that does not serve its node for so long says so: at a start it takes seconds. */
export const DOWN_AFTER_MS = 60_000;

/** Others give a reason of their own by the same pattern: WeaveIsUp, FlannelIsUp, CalicoIsDown. */
const UP: NetworkCondition = {
  status: 'False',
  reason: 'WeftIsUp',
  message: 'Weft serves the pods of this node',
};

/** What the condition of this node should say, by whether weftd serves it. */
export class WantedCondition {
  #downSince: Instant | undefined;

  /** Undefined: not known yet, and what stands is left as it is. */
  look(readiness: Readiness, now: Instant): NetworkCondition | undefined {
    if (readiness.ready) {
      this.#downSince = undefined;
      return UP;
    }
    this.#downSince ??= now;
    if (now - this.#downSince < DOWN_AFTER_MS) return undefined;
    const message = `Weft does not serve this node: ${readiness.reason}`.slice(0, 500);
    return { status: 'True', reason: 'WeftIsDown', message };
  }
}

/** The condition as a Node has it; undefined where nobody has set it, as where no cloud and no network did. */
export function readCondition(
  node: unknown,
): (Pick<NetworkCondition, 'reason'> & { readonly status: string }) | undefined {
  const status = isRecord(node) && isRecord(node.status) ? node.status : {};
  const conditions: readonly unknown[] = Array.isArray(status.conditions) ? status.conditions : [];
  for (const each of conditions) {
    if (!isRecord(each) || each.type !== 'NetworkUnavailable') continue;
    return { status: String(each.status), reason: String(each.reason ?? '') };
  }
  return undefined;
}

/** Whether `wanted` is to be written over what stands. A message alone that differs is left. */
export function isToBeWritten(wanted: NetworkCondition, standing: ReturnType<typeof readCondition>): boolean {
  return standing?.status !== wanted.status || standing.reason !== wanted.reason;
}

/** A strategic merge patch of a Node's status, which changes this one condition. `at`: milliseconds since 1970. */
export function conditionPatch(condition: NetworkCondition, at: number): Record<string, unknown> {
  const time = `${new Date(at).toISOString().slice(0, -5)}Z`;
  const times = { lastHeartbeatTime: time, lastTransitionTime: time };
  return { status: { conditions: [{ type: 'NetworkUnavailable', ...condition, ...times }] } };
}
