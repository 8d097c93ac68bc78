// What a StatefulSet's plan is made from.
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet } from '../../api/index.ts';

export interface StatefulSetView {
  readonly set: StatefulSet;
  /** Those that it owns and that have names of its. */
  readonly pods: readonly Pod[];
  readonly claimNamed: (name: string) => PersistentVolumeClaim | undefined;
  /** Of the pods that are not to be updated yet. */
  readonly current: ControllerRevision;
  /** Of the present template. */
  readonly update: ControllerRevision;
  readonly collisionCount: number;
  readonly nowMs: number;
}
