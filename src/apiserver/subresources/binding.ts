// pods/binding: a scheduler's decision. It sets spec.nodeName once and says so in the PodScheduled condition.
import type { Pod } from '../../api/index.ts';
import { badRequest, conflict, type DraftMeta, formatTime, invalid } from '../../machinery/index.ts';
import { type RegistryCore, refOf } from '../registry/core.ts';
import { mutableCopy } from '../registry/objects.ts';
import { applyUpdate } from '../registry/update.ts';
import type { Subresource, SubresourceCall } from './subresource.ts';
import { succeeded } from './success.ts';

interface Binding {
  metadata?: DraftMeta;
  target?: { kind?: string; name?: string; apiVersion?: string };
}

export const binding: Subresource = {
  name: 'binding',
  verbs: ['create'],
  body: { group: '', version: 'v1', kind: 'Binding' },
  appliesTo: (kind) => kind.group === '' && kind.kind === 'Pod',
  handle: bind,
};

async function bind(core: RegistryCore, { at, body, context }: SubresourceCall) {
  const wanted = body.value as Binding | null;
  if (typeof wanted !== 'object' || wanted === null)
    throw badRequest('Binding in version "v1" cannot be handled as a Binding');
  const name = wanted.metadata?.name;
  if (name !== undefined && name !== '' && name !== at.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${at.name})`);
  }
  const node = checkedTarget(at.name, wanted);
  await applyUpdate(core, at, context, {
    subresource: 'binding',
    change: (entry) => {
      const pod = mutableCopy<Pod>(entry);
      const uid = wanted.metadata?.uid;
      if (uid !== undefined && uid !== '' && uid !== pod.metadata.uid) {
        throw conflict(
          refOf(at.kind),
          at.name,
          `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`,
        );
      }
      if (pod.metadata.deletionTimestamp !== undefined) {
        throw conflict(
          refOf(at.kind),
          at.name,
          `pod ${at.name} is being deleted, cannot be assigned to a host`,
        );
      }
      if (pod.spec.nodeName)
        throw conflict(
          refOf(at.kind),
          at.name,
          `pod ${at.name} is already assigned to node "${pod.spec.nodeName}"`,
        );
      if ((pod.spec.schedulingGates?.length ?? 0) > 0) {
        throw conflict(refOf(at.kind), at.name, `pod ${at.name} has non-empty .spec.schedulingGates`);
      }
      pod.spec.nodeName = node;
      if (wanted.metadata?.annotations !== undefined)
        pod.metadata.annotations = { ...pod.metadata.annotations, ...wanted.metadata.annotations };
      if (wanted.metadata?.labels !== undefined)
        pod.metadata.labels = { ...pod.metadata.labels, ...wanted.metadata.labels };
      markScheduled(pod, formatTime(core.clock.nowMs()));
      pod.metadata.resourceVersion = '';
      return pod;
    },
  });
  return succeeded(201);
}

function checkedTarget(name: string, { target }: Binding): string {
  const fail = (field: string, message: string) =>
    invalid('', 'Binding', name, [{ reason: 'FieldValueInvalid', message, field }]);
  if (
    target?.kind !== undefined &&
    target.kind !== '' &&
    target.kind !== 'Node' &&
    target.kind !== 'Minion'
  ) {
    throw fail(
      'target.kind',
      `Unsupported value: ${JSON.stringify(target.kind)}: supported values: "Node", "<empty>"`,
    );
  }
  if (!target?.name) throw fail('target.name', 'Required value');
  return target.name;
}

function markScheduled(pod: Pod, now: string): void {
  pod.status ??= {};
  const conditions = (pod.status.conditions ??= []);
  const found = conditions.find((c) => c.type === 'PodScheduled');
  if (found?.status === 'True') return;
  const condition = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null as unknown as string,
    lastTransitionTime: now,
  };
  if (found === undefined) conditions.push(condition);
  else conditions[conditions.indexOf(found)] = condition;
}
