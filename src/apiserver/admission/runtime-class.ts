// RuntimeClass: a pod that names a runtime pays the overhead of that runtime, and goes where its nodes are.
import { type coreV1, type Pod, RuntimeClass } from '../../api/index.ts';
import { forbidden, type KindDef, type StatusError, semanticEqual } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

type Toleration = coreV1.Toleration;

export function runtimeClass(store: Store): AdmissionPlugin {
  /** undefined = the pod names none. Throws 403 for one that does not exist. */
  function classOf(request: AdmissionRequest): RuntimeClass | undefined {
    const name = (request.object as Pod).spec.runtimeClassName;
    if (name === undefined) return undefined;
    const entry = store.get(keyFor(RuntimeClass as unknown as KindDef, undefined, name));
    if (entry === undefined)
      throw reject(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return objectOf<RuntimeClass>(entry);
  }
  return {
    name: 'RuntimeClass',
    mutate(request) {
      if (!isNewPod(request)) return;
      const { spec } = request.object as Pod;
      const found = classOf(request);
      const overhead = found?.overhead?.podFixed;
      if (overhead !== undefined) {
        if (spec.overhead !== undefined && !semanticEqual(spec.overhead, overhead))
          throw reject(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        spec.overhead = { ...overhead };
      }
      const { nodeSelector, tolerations } = found?.scheduling ?? {};
      for (const [key, value] of Object.entries(nodeSelector ?? {})) {
        const own = spec.nodeSelector?.[key];
        if (own !== undefined && own !== value)
          throw reject(
            request,
            `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
          );
        spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
      }
      if (tolerations !== undefined) spec.tolerations = mergeTolerations(spec.tolerations ?? [], tolerations);
    },
    validate(request) {
      if (!isNewPod(request)) return;
      const { overhead } = (request.object as Pod).spec;
      const fixed = classOf(request)?.overhead?.podFixed;
      if (fixed !== undefined && !semanticEqual(fixed, overhead))
        throw reject(request, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
      if (fixed === undefined && overhead !== undefined)
        throw reject(
          request,
          'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
        );
    },
  };
}

const isNewPod = ({ operation, kind, subresource }: AdmissionRequest): boolean =>
  operation === 'create' && subresource === '' && kind.kind === 'Pod' && kind.group === '';

const reject = ({ kind, name }: AdmissionRequest, why: string): StatusError =>
  forbidden(refOf(kind), name, why);

/** Both lists, without those that another one covers; of two that say the same the first stays. */
export function mergeTolerations(first: readonly Toleration[], second: readonly Toleration[]): Toleration[] {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  for (const [i, one] of all.entries()) {
    if (merged.some((other) => covers(other, one))) continue;
    if (all.slice(i + 1).some((other) => !semanticEqual(one, other) && covers(other, one))) continue;
    merged.push(one);
  }
  return merged;
}

function covers(wide: Toleration, one: Toleration): boolean {
  if (semanticEqual(wide, one)) return true;
  const { key = '', operator = 'Equal', effect = '', value = '', tolerationSeconds } = wide;
  if ((one.key ?? '') !== key && (key !== '' || operator !== 'Exists')) return false;
  if ((one.effect ?? '') !== effect && effect !== '') return false;
  if (effect === 'NoExecute' && tolerationSeconds !== undefined)
    if (one.tolerationSeconds === undefined || one.tolerationSeconds > tolerationSeconds) return false;
  if (operator === 'Exists') return true;
  return operator === 'Equal' && (one.operator ?? 'Equal') === 'Equal' && (one.value ?? '') === value;
}
