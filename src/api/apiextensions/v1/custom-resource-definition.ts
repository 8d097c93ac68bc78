// CustomResourceDefinition: a kind that users bring. The server makes the same record of it that built-in kinds are made of, and
// serves it (apiserver/custom-resources). Its rules and defaults are here.
import { defineKind, FieldAt, formatTime } from '../../../machinery/index.ts';
import { createdColumn, nameColumn } from '../../columns.ts';
import type {
  CustomResourceDefinitionCondition,
  CustomResourceDefinition as CustomResourceDefinitionObject,
} from '../../generated/apiextensions-v1.ts';
import { shape } from '../../shape.ts';
import { validateApproval } from './api-approval.ts';
import { validateDefinition, validateNames } from './definition-rules.ts';

export type CustomResourceDefinition = CustomResourceDefinitionObject;

/** Holds a deleted definition until the last of its resources is gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export const definitionCondition = (
  { status }: CustomResourceDefinitionObject,
  type: string,
): CustomResourceDefinitionCondition | undefined =>
  status?.conditions?.find((condition) => condition.type === type);

export const isEstablished = (definition: CustomResourceDefinitionObject): boolean =>
  definitionCondition(definition, 'Established')?.status === 'True';

/** Mutates. A condition whose status stays keeps the time of its last change. */
export function setDefinitionCondition(
  definition: CustomResourceDefinitionObject,
  condition: { type: string; status: string; reason: string; message: string },
  nowMs: number,
): void {
  definition.status ??= {};
  const conditions = (definition.status.conditions ??= []);
  const found = conditions.find(({ type }) => type === condition.type);
  if (found === undefined) conditions.push({ ...condition, lastTransitionTime: formatTime(nowMs) });
  else {
    if (found.status !== condition.status) found.lastTransitionTime = formatTime(nowMs);
    Object.assign(found, condition);
  }
}

export const CustomResourceDefinition = defineKind<CustomResourceDefinitionObject>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('apiextensions.v1.CustomResourceDefinition'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [nameColumn, createdColumn],

  defaults({ spec }) {
    const { names } = spec;
    if (names !== null && names !== undefined) {
      const { kind = '' } = names;
      if (!names.singular && kind !== '') names.singular = kind.toLowerCase();
      if (!names.listKind && kind !== '') names.listKind = `${kind}List`;
    }
    spec.conversion ??= { strategy: 'None' };
    const service = spec.conversion.webhook?.clientConfig?.service;
    if (service !== undefined) service.port ??= 443;
  },

  prepareCreate(definition) {
    const storage = definition.spec.versions?.find((version) => version.storage);
    if (storage !== undefined) definition.status = { ...definition.status, storedVersions: [storage.name] };
  },

  validate(definition, old, causes) {
    validateDefinition(definition, old, causes);
    validateApproval(definition, old, causes);
  },

  validateStatus({ status }, _old, causes) {
    const field = new FieldAt('status', causes);
    validateNames(status?.acceptedNames, field.child('acceptedNames'));
  },

  beginDeletion(definition) {
    const finalizers = (definition.metadata.finalizers ??= []);
    if (!finalizers.includes(cleanupFinalizer)) finalizers.push(cleanupFinalizer);
    setDefinitionCondition(
      definition,
      {
        type: 'Terminating',
        status: 'True',
        reason: 'InstanceDeletionPending',
        message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      },
      Date.parse(definition.metadata.deletionTimestamp ?? ''),
    );
  },
  // The finalizer is set as the deletion begins; from then on it is what holds.
  deletionHeld: ({ metadata }) => metadata.deletionTimestamp === undefined,
});
