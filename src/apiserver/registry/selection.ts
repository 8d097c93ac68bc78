// Which objects of a collection a list, watch or deletecollection means: a key prefix and, where asked, a test on the object.
import {
  badRequest,
  compileLabelSelector,
  type KindDef,
  type KubeObject,
  parseFieldSelector,
  parseLabelSelector,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import { objectOf } from './objects.ts';

export interface Selection {
  /** Keys of everything that may be meant: a kind's, or a namespace's part of it. */
  readonly prefix: string;
  /** null = everything under the prefix: no object need be decoded. */
  readonly test: ((object: KubeObject) => boolean) | null;
}

export function select(
  kind: KindDef,
  namespace: string | undefined,
  query: { labelSelector?: string | undefined; fieldSelector?: string | undefined },
): Selection {
  const prefix =
    kind.scope === 'Namespaced' && namespace !== undefined
      ? `${kind.storagePrefix}${namespace}/`
      : kind.storagePrefix;
  const tests: ((object: KubeObject) => boolean)[] = [];
  if (query.labelSelector !== undefined && query.labelSelector !== '') {
    const requirements = parseLabelSelector(query.labelSelector);
    if (!requirements.ok) throw badRequest(requirements.error);
    const matches = compileLabelSelector(requirements.value);
    tests.push((object) => matches(object.metadata.labels ?? {}));
  }
  if (query.fieldSelector !== undefined && query.fieldSelector !== '') {
    const parsed = parseFieldSelector(query.fieldSelector);
    if (!parsed.ok) throw badRequest(parsed.error);
    for (const { field, operator, value } of parsed.value) {
      const wanted = operator === '=';
      if (field === 'metadata.name') {
        tests.push((object) => (object.metadata.name === value) === wanted);
      } else if (field === 'metadata.namespace' && kind.scope === 'Namespaced') {
        tests.push((object) => (object.metadata.namespace === value) === wanted);
      } else {
        const read = kind.selectableFields[field];
        if (read === undefined) throw badRequest(unknownField(kind, field));
        tests.push((object) => (read(object) === value) === wanted);
      }
    }
  }
  if (tests.length === 0) return { prefix, test: null };
  if (tests.length === 1) return { prefix, test: tests[0]! };
  return { prefix, test: (object) => tests.every((t) => t(object)) };
}

/** Kinds with fields of their own and kinds without say it differently in Kubernetes, and so here. */
const unknownField = (kind: KindDef, field: string): string =>
  Object.keys(kind.selectableFields).length > 0
    ? `field label not supported: ${field}`
    : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`;

export const selected = (selection: Selection, entry: Entry): boolean =>
  selection.test === null || selection.test(objectOf(entry));
