// pods/binding: a scheduler's decision. It sets spec.nodeName once and says so in the PodScheduled condition.
import { type Binding, bindingBody, type Pod } from '../../api/index.ts';
import { badRequest, Causes, conflict, formatTime, type StatusError } from '../../machinery/index.ts';
import { type Place, type RegistryCore, refOf } from '../registry/core.ts';
import { decodeRequestBody } from '../registry/decode.ts';
import { mutableCopy } from '../registry/objects.ts';
import { applyUpdate } from '../registry/update.ts';
import { builtByCode } from '../registry/update-rules.ts';
import type { Subresource, SubresourceCall } from './subresource.ts';
import { succeeded } from './success.ts';

export const binding: Subresource = {
  name: 'binding',
  verbs: ['create'],
  body: bindingBody,
  appliesTo: (kind) => kind.group === '' && kind.kind === 'Pod',
  handle: bind,
};

const rules = builtByCode('binding');

async function bind(core: RegistryCore, { at, body, context }: SubresourceCall) {
  const wanted = decodeRequestBody<Binding>(bindingBody, body, context);
  const { name = '', uid = '', annotations, labels } = wanted.metadata ?? {};
  if (name !== '' && name !== at.name)
    throw badRequest(`name in URL does not match name in Binding object: "${name}" != "${at.name}"`);
  const node = checkedTarget(at.name, wanted);
  await applyUpdate(core, { at, context }, rules, (entry) => {
    const pod = mutableCopy<Pod>(entry);
    const refusal = unbindable(at, pod, uid);
    if (refusal !== undefined) throw refusal;
    pod.spec.nodeName = node;
    if (annotations !== undefined) pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations };
    if (labels !== undefined) pod.metadata.labels = { ...pod.metadata.labels, ...labels };
    markScheduled(pod, formatTime(core.clock.nowMs()));
    pod.metadata.resourceVersion = '';
    return pod;
  });
  return succeeded(201);
}

/** Why a pod cannot be given to a node now. `uid` '' = any pod of that name. */
function unbindable(at: Place, { metadata, spec }: Pod, uid: string): StatusError | undefined {
  const because = (why: string) => conflict({ ...refOf(at.kind), resource: 'pods/binding' }, at.name, why);
  if (uid !== '' && uid !== metadata.uid)
    return because(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`);
  if (metadata.deletionTimestamp !== undefined)
    return because(`pod ${at.name} is being deleted, cannot be assigned to a host`);
  if (spec.nodeName) return because(`pod ${at.name} is already assigned to node "${spec.nodeName}"`);
  if ((spec.schedulingGates?.length ?? 0) > 0)
    return because(`pod ${at.name} has non-empty .spec.schedulingGates`);
  return undefined;
}

function checkedTarget(name: string, { target }: Binding): string {
  const causes = new Causes();
  const kind = target?.kind ?? '';
  if (kind !== '' && kind !== 'Node' && kind !== 'Minion')
    causes.notSupported('target.kind', kind, ['Node', '<empty>']);
  if (!target?.name) causes.required('target.name');
  const error = causes.toError('', 'Binding', name);
  if (error !== undefined) throw error;
  return target.name!;
}

function markScheduled(pod: Pod, now: string): void {
  pod.status ??= {};
  // Where it was to go is of no interest any more.
  delete pod.status.nominatedNodeName;
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
