import type { Judged } from './compiler/decide.ts';
import { unservedPorts } from './compiler/unserved-ports.ts';
import type { Policy } from './model/policy.ts';

/**
 * Policies that name ports which no pod has that they could mean. Pods often come after their policies, so one is told of
 * only where that was so at the look before, too.
 */
export class PortComplaints {
  #versionByUid = new Map<string, string>();

  /** Each such policy, with what is to be told of it for its `faults`. */
  look({ cluster, policies }: Judged): readonly Policy[] {
    const before = this.#versionByUid;
    this.#versionByUid = new Map();
    const told: Policy[] = [];
    for (const policy of policies.all()) {
      const faults = unservedPorts(cluster, policy);
      if (faults.length === 0) continue;
      this.#versionByUid.set(policy.uid, policy.resourceVersion);
      if (before.get(policy.uid) === policy.resourceVersion) told.push({ ...policy, faults });
    }
    return told;
  }
}
