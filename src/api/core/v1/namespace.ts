// Namespace: a room for names. It is kept while spec.finalizers is not empty, so that its content goes first.
import { at, type Causes, checkFinalizerName, defineKind, nameIsDnsLabel } from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { Namespace as NamespaceObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';

export type Namespace = NamespaceObject;

/** Every namespace carries its own name as this label, so that selectors can name it. */
export const namespaceNameLabel = 'kubernetes.io/metadata.name';
/** The finalizer of the namespace controller, in spec.finalizers. */
export const kubernetesFinalizer = 'kubernetes';

export const Namespace = defineKind<NamespaceObject>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  scope: 'Cluster',
  schema: shape('core.v1.Namespace'),
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: { status: true },
  nameRule: nameIsDnsLabel,
  columns: [
    nameColumn,
    {
      name: 'Status',
      type: 'string',
      description: 'Active, or Terminating while its content is deleted.',
      cell: (ns) => ns.status?.phase ?? '',
    },
    ageColumn,
  ],
  selectableFields: { 'status.phase': (ns) => ns.status?.phase ?? '' },

  defaults(ns) {
    const { metadata } = ns;
    // a generated name is not known yet; the registry runs defaults again once it is
    if (metadata.name) metadata.labels = { ...metadata.labels, [namespaceNameLabel]: metadata.name };
    ns.status ??= {};
    ns.status.phase ||= 'Active';
  },

  prepareCreate(ns) {
    ns.status = { phase: 'Active' };
    const finalizers = ns.spec.finalizers ?? [];
    if (!finalizers.includes(kubernetesFinalizer)) ns.spec.finalizers = [...finalizers, kubernetesFinalizer];
  },

  /** Only the finalize subresource may touch spec.finalizers. */
  prepareUpdate(ns, old) {
    if (old.spec.finalizers === undefined) delete ns.spec.finalizers;
    else ns.spec.finalizers = [...old.spec.finalizers];
  },

  validate(ns, _old, causes) {
    validateNamespaceFinalizers(ns.spec?.finalizers, 'spec.finalizers', causes);
  },

  validateStatus(ns, _old, causes) {
    const phase = ns.status?.phase ?? '';
    const deleted = ns.metadata.deletionTimestamp !== undefined;
    if (!deleted && phase !== 'Active')
      causes.invalid('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty");
    if (deleted && phase !== 'Terminating')
      causes.invalid('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
  },

  deletionHeld: (ns) => (ns.spec?.finalizers?.length ?? 0) > 0,
  beginDeletion(ns) {
    ns.status = { ...ns.status, phase: 'Terminating' };
  },
});

/** Also the rule of the finalize subresource, which passes each item's own path. */
export function validateNamespaceFinalizers(
  finalizers: readonly string[] | undefined,
  path: string,
  causes: Causes,
  options: { indexed: true } | undefined = undefined,
): void {
  finalizers?.forEach((name, i) => {
    const here = options === undefined ? path : at.index(path, i);
    for (const message of checkFinalizerName(name)) causes.invalid(here, name, message);
    if (!name.includes('/') && !standardFinalizers.has(name))
      causes.invalid(here, name, 'name is neither a standard finalizer name nor is it fully qualified');
  });
}

const standardFinalizers = new Set([kubernetesFinalizer, 'orphan', 'foregroundDeletion']);
