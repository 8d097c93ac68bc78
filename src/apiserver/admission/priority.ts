// Priority: a pod's priority class becomes a number; without a class the global default counts, else 0. There is one such default.
import type { Pod, PriorityClass } from '../../api/index.ts';
import { forbidden, type KindDef } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin } from './admission.ts';

export function priority(store: Store, classes: KindDef): AdmissionPlugin {
  const globalDefault = (): PriorityClass | undefined => {
    let best: PriorityClass | undefined;
    for (const entry of store.list(classes.storagePrefix)) {
      const found = objectOf<PriorityClass>(entry);
      if (found.globalDefault === true && (best === undefined || (found.value ?? 0) < (best.value ?? 0)))
        best = found;
    }
    return best;
  };
  return {
    name: 'Priority',
    mutate({ operation, kind, subresource, object, old, name }) {
      if (kind.kind !== 'Pod' || kind.group !== '' || subresource !== '') return;
      const { spec } = object as Pod;
      if (operation === 'update') {
        // Who leaves out what was computed for the pod on create does not ask to change it.
        const before = (old as Pod).spec;
        if (spec.priority === undefined && before.priority !== undefined) spec.priority = before.priority;
        if (spec.preemptionPolicy === undefined && before.preemptionPolicy !== undefined)
          spec.preemptionPolicy = before.preemptionPolicy;
      }
      if (operation !== 'create') return;
      let chosen: PriorityClass | undefined;
      if (spec.priorityClassName !== undefined && spec.priorityClassName !== '') {
        const entry = store.get(keyFor(classes, undefined, spec.priorityClassName));
        if (entry === undefined)
          throw forbidden(
            refOf(kind),
            name,
            `no PriorityClass with name ${spec.priorityClassName} was found`,
          );
        chosen = objectOf<PriorityClass>(entry);
      } else {
        chosen = globalDefault();
        if (chosen !== undefined) spec.priorityClassName = chosen.metadata.name;
      }
      const value = chosen?.value ?? 0;
      if (spec.priority !== undefined && spec.priority !== value) {
        throw forbidden(
          refOf(kind),
          name,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        );
      }
      const policy = chosen?.preemptionPolicy ?? 'PreemptLowerPriority';
      if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
        throw forbidden(
          refOf(kind),
          name,
          `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
        );
      }
      spec.priority = value;
      spec.preemptionPolicy = policy;
    },
    validate({ operation, kind, object, name }) {
      if (operation === 'delete' || kind !== classes) return;
      if ((object as PriorityClass).globalDefault !== true) return;
      const already = globalDefault()?.metadata.name;
      if (already === undefined || (operation === 'update' && already === name)) return;
      throw forbidden(
        refOf(kind),
        name,
        `PriorityClass ${already} is already marked as default. Only one default can exist`,
      );
    },
  };
}
