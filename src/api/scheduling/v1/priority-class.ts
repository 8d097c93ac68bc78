// PriorityClass: a name for how much a pod matters.
import { type Causes, defineKind, immutableMessage } from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { PriorityClass as PriorityClassObject } from '../../generated/scheduling-v1.ts';
import { shape } from '../../shape.ts';

export type PriorityClass = PriorityClassObject;

/** Nobody else may go higher. */
export const highestUserPriority = 1_000_000_000;

const systemPrefix = 'system-';
/** The classes the server itself makes. */
export const systemPriorityClasses: Readonly<Record<string, { value: number; description: string }>> = {
  'system-node-critical': {
    value: 2_000_001_000,
    description: 'For pods a node cannot work without: they must not be moved from it.',
  },
  'system-cluster-critical': {
    value: 2_000_000_000,
    description: 'For pods the cluster cannot work without.',
  },
};

export const PriorityClass = defineKind<PriorityClassObject>({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  shortNames: ['pc'],
  scope: 'Cluster',
  schema: shape('scheduling.v1.PriorityClass'),
  columns: [
    nameColumn,
    { name: 'Value', type: 'integer', description: 'Higher goes first.', cell: (pc) => pc.value ?? 0 },
    {
      name: 'Global-Default',
      type: 'boolean',
      description: 'Whether pods that name no class get this one.',
      cell: (pc) => pc.globalDefault ?? false,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      type: 'string',
      description: 'Whether its pods may push others out.',
      cell: (pc) => pc.preemptionPolicy ?? '',
    },
  ],
  defaults(pc) {
    pc.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  // the first generation is the only one: what counts is immutable
  prepareCreate(pc) {
    pc.metadata.generation = 1;
  },
  validate(pc, old, causes) {
    const name = pc.metadata.name ?? '';
    const value = pc.value ?? 0;
    if (name.startsWith(systemPrefix)) validateSystemClass(pc, causes);
    else if (value > highestUserPriority)
      causes.forbidden('value', `maximum allowed value of a user defined priority is ${highestUserPriority}`);
    const policy = pc.preemptionPolicy;
    if (policy === '') causes.required('preemptionPolicy');
    else if (policy !== undefined && policy !== 'PreemptLowerPriority' && policy !== 'Never')
      causes.notSupported('preemptionPolicy', policy, ['PreemptLowerPriority', 'Never']);
    if (old === undefined) return;
    if (value !== (old.value ?? 0)) causes.invalid('value', value, immutableMessage);
    if (policy !== old.preemptionPolicy) causes.invalid('preemptionPolicy', policy ?? null, immutableMessage);
  },
});

function validateSystemClass(pc: PriorityClassObject, causes: Causes): void {
  const { name } = pc.metadata;
  const known = Object.hasOwn(systemPriorityClasses, name) ? systemPriorityClasses[name] : undefined;
  let why: string | undefined;
  if (known === undefined) why = `${name} is not a known system priority class`;
  else if ((pc.value ?? 0) !== known.value) why = `value of ${name} PriorityClass must be ${known.value}`;
  else if (pc.globalDefault) why = `globalDefault of ${name} PriorityClass must be false`;
  if (why !== undefined)
    causes.forbidden(
      'metadata.name',
      `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${why}`,
    );
}
