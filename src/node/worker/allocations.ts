// What this node has granted to its pods, and what their containers really have. In memory only: after a restart the pods' statuses in
// the API tell both again, and what they do not tell is reviewed once more.
import type { coreV1, Pod } from '../../api/index.ts';
import { type Grants, grantsFromStatus, grantsOf, withGrants } from '../plan/resize.ts';

interface Entry {
  grants: Grants;
  /** By container id. */
  readonly actual: Map<string, coreV1.ResourceRequirements>;
}

export class Allocations {
  readonly #entries = new Map<string, Entry>();

  /** A pod that was taken: what it asks for is granted, unless it ran here before and was told otherwise. */
  add(pod: Pod): void {
    if (this.#entries.has(pod.metadata.uid)) return;
    this.#entries.set(pod.metadata.uid, {
      grants: grantsFromStatus(pod) ?? grantsOf(pod),
      actual: new Map(),
    });
  }

  /** Everything that the pod asks for now. */
  grant(pod: Pod): void {
    const entry = this.#entries.get(pod.metadata.uid);
    if (entry !== undefined) entry.grants = grantsOf(pod);
  }

  grantsTo(uid: string): Grants | undefined {
    return this.#entries.get(uid)?.grants;
  }

  /** The pod as far as it has been granted. */
  granted(pod: Pod): Pod {
    return withGrants(pod, this.grantsTo(pod.metadata.uid));
  }

  /** A container was made with, or changed to, these resources. */
  set(uid: string, containerId: string, resources: coreV1.ResourceRequirements): void {
    this.#entries.get(uid)?.actual.set(containerId, resources);
  }

  /** undefined = it was made by an earlier run of the agent, and the API does not tell either. */
  actual(pod: Pod, containerId: string): coreV1.ResourceRequirements | undefined {
    const known = this.#entries.get(pod.metadata.uid)?.actual.get(containerId);
    if (known !== undefined) return known;
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
    return [...containerStatuses, ...initContainerStatuses].find((s) =>
      s.containerID?.endsWith(`://${containerId}`),
    )?.resources;
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }
}
