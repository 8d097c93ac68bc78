// Node: a machine that runs pods. Its agent registers it with a status and keeps that up to date.
import {
  at,
  type Causes,
  checkCidr,
  checkLabelKey,
  checkLabelValue,
  defineKind,
  nonNegativeMessage,
  parseCidr,
  semanticEqual,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { Node as NodeObject, Taint } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';

export type Node = NodeObject;

const roleLabelPrefix = 'node-role.kubernetes.io/';
const roleLabel = 'kubernetes.io/role';

function statusText(node: NodeObject): string {
  const ready = node.status?.conditions?.findLast((c) => c.type === 'Ready');
  const parts = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (node.spec?.unschedulable) parts.push('SchedulingDisabled');
  return parts.join(',');
}

function roles(node: NodeObject): string {
  const found = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(roleLabelPrefix) && key.length > roleLabelPrefix.length)
      found.add(key.slice(roleLabelPrefix.length));
    else if (key === roleLabel && value !== '') found.add(value);
  }
  return [...found].sort().join(',') || '<none>';
}

const addressOf = (node: NodeObject, type: string): string =>
  node.status?.addresses?.find((a) => a.type === type)?.address ?? '<none>';

export const Node = defineKind<NodeObject>({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  scope: 'Cluster',
  schema: shape('core.v1.Node'),
  subresources: { status: true, keepsStatusOnCreate: true },
  columns: [
    nameColumn,
    { name: 'Status', type: 'string', description: 'The status of the node.', cell: statusText },
    { name: 'Roles', type: 'string', description: 'The roles of the node, from its labels.', cell: roles },
    ageColumn,
    {
      name: 'Version',
      type: 'string',
      description: 'The version its agent reports.',
      cell: (node) => node.status?.nodeInfo?.kubeletVersion ?? '',
    },
    {
      name: 'Internal-IP',
      type: 'string',
      priority: 1,
      description: 'Its address inside the cluster.',
      cell: (node) => addressOf(node, 'InternalIP'),
    },
    {
      name: 'External-IP',
      type: 'string',
      priority: 1,
      description: 'Its address for the outside.',
      cell: (node) => addressOf(node, 'ExternalIP'),
    },
    {
      name: 'OS-Image',
      type: 'string',
      priority: 1,
      description: 'Its operating system.',
      cell: (node) => node.status?.nodeInfo?.osImage || '<unknown>',
    },
    {
      name: 'Kernel-Version',
      type: 'string',
      priority: 1,
      description: 'Its kernel.',
      cell: (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>',
    },
    {
      name: 'Container-Runtime',
      type: 'string',
      priority: 1,
      description: 'What runs its containers.',
      cell: (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>',
    },
  ],
  selectableFields: { 'spec.unschedulable': (node) => String(node.spec?.unschedulable ?? false) },

  defaults(node) {
    const { spec, status } = node;
    // podCIDR is the old, single form of podCIDRs; it wins when a client changed only it
    if (spec.podCIDR) {
      if (spec.podCIDRs?.[0] !== spec.podCIDR) spec.podCIDRs = [spec.podCIDR];
    } else if (spec.podCIDRs?.[0]) spec.podCIDR = spec.podCIDRs[0];
    if (status?.capacity !== undefined && status.allocatable === undefined)
      status.allocatable = { ...status.capacity };
  },

  validate(node, old, causes) {
    validateTaints(node.spec?.taints, 'metadata.taints', causes);
    validateResources(node, causes);
    validatePodCidrs(node.spec?.podCIDRs, causes);
    if (old !== undefined) validateSpecUpdate(node, old, causes);
  },

  validateStatus(node, _old, causes) {
    validateResources(node, causes);
    const seen = new Set<string>();
    node.status?.addresses?.forEach((address, i) => {
      const key = `${address.type} ${address.address}`;
      if (seen.has(key)) causes.duplicate(at.index('status.addresses', i), address);
      seen.add(key);
    });
  },
});

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** Kubernetes names `metadata.taints` in these causes, although taints are in the spec; clients know that path. */
function validateTaints(taints: readonly Taint[] | undefined, path: string, causes: Causes): void {
  const seen = new Set<string>();
  taints?.forEach((taint, i) => {
    const here = at.index(path, i);
    for (const message of checkLabelKey(taint.key ?? ''))
      causes.invalid(at.child(here, 'key'), taint.key, message);
    const messages = checkLabelValue(taint.value ?? '');
    if (messages.length > 0) causes.invalid(at.child(here, 'value'), taint.value, messages.join(';'));
    if (!taint.effect) causes.required(at.child(here, 'effect'));
    else if (!taintEffects.includes(taint.effect))
      causes.notSupported(at.child(here, 'effect'), taint.effect, taintEffects);
    const pair = `${taint.key} ${taint.effect}`;
    if (seen.has(pair))
      causes.list.push({
        reason: 'FieldValueDuplicate',
        message: `Duplicate value: ${JSON.stringify(taint)}: taints must be unique by key and effect pair`,
        field: here,
      });
    seen.add(pair);
  });
}

/** Resources counted in whole pieces: pods, and whatever carries a vendor's prefix. */
const isCounted = (resource: string): boolean =>
  resource === 'pods' || (resource.includes('/') && !/(^|\.)kubernetes\.io\//.test(resource));

function validateResources(node: NodeObject, causes: Causes): void {
  for (const list of ['capacity', 'allocatable'] as const)
    for (const [resource, quantity] of Object.entries(node.status?.[list] ?? {})) {
      const path = `status.${list}.${resource}`;
      if (quantity.startsWith('-')) causes.invalid(path, quantity, nonNegativeMessage);
      // quantities are canonical here: only fractions end in n, u or m
      if (isCounted(resource) && /[num]$/.test(quantity))
        causes.invalid(path, quantity, 'must be an integer');
    }
}

function validatePodCidrs(cidrs: readonly string[] | undefined, causes: Causes): void {
  if (cidrs === undefined) return;
  const path = 'spec.podCIDRs';
  cidrs.forEach((cidr, i) => {
    for (const message of checkCidr(cidr)) causes.invalid(at.index(path, i), cidr, message);
  });
  if (cidrs.length < 2) return;
  const families = new Set(cidrs.map((cidr) => parseCidr(cidr)?.family));
  if (families.size !== 2 || families.has(undefined) || cidrs.length > 2)
    causes.invalid(path, cidrs, 'may specify no more than one CIDR for each IP family');
  cidrs.forEach((cidr, i) => {
    if (cidrs.indexOf(cidr) < i) causes.duplicate(at.index(path, i), cidr);
  });
}

function validateSpecUpdate(node: NodeObject, old: NodeObject, causes: Causes): void {
  if ((old.spec.podCIDRs?.length ?? 0) > 0 && !semanticEqual(old.spec.podCIDRs, node.spec.podCIDRs))
    causes.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
  if (old.spec.providerID && old.spec.providerID !== node.spec.providerID)
    causes.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid');
  if ((old.spec.externalID ?? '') !== (node.spec.externalID ?? ''))
    causes.forbidden(
      '[]',
      'node updates may only change labels, taints, or capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)',
    );
}
