// The parameters of a policy: the objects that a binding names or selects.
import type { admissionregistrationV1 } from '../../../api/index.ts';
import {
  compileLabelSelector,
  type KindDef,
  type KubeObject,
  labelRequirements,
} from '../../../machinery/index.ts';
import type { Entry, Store } from '../../../storage/index.ts';
import type { KindTable } from '../../registry/kind-table.ts';
import { keyFor, objectOf } from '../../registry/objects.ts';
import { allInVersion } from '../../registry/translated.ts';

type ParamKind = admissionregistrationV1.ParamKind;
type ParamRef = admissionregistrationV1.ParamRef;

export interface ParamSource {
  readonly store: Store;
  readonly kinds: KindTable;
}

/** undefined = it is not served. */
export const paramKindOf = (kinds: KindTable, { apiVersion, kind }: ParamKind): KindDef | undefined =>
  kinds.all.find((one) => one.apiVersion === apiVersion && one.kind === kind);

export const unknownParamKind = ({ apiVersion = '', kind = '' }: ParamKind): string =>
  `failed to find resource referenced by paramKind: '${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}'`;

/**
 * What a policy is evaluated with, once each; none = not at all. `namespace` is that of the request. Throws an Error that tells why they
 * cannot be had. A promise only where somebody else must be asked for the version.
 */
export function paramsOf(
  { store }: ParamSource,
  kind: KindDef,
  { reference, namespace }: { readonly reference: ParamRef; readonly namespace: string | undefined },
): readonly KubeObject[] | Promise<readonly KubeObject[]> {
  const { name = '', selector, namespace: named = '', parameterNotFoundAction } = reference;
  let within: string | undefined;
  if (kind.scope === 'Namespaced') {
    within = named || namespace;
    if (within === undefined)
      throw new Error(
        'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
      );
  } else if (named !== '')
    throw new Error('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  const found =
    name === '' ? selected(store, kind, within, selector) : [store.get(keyFor(kind, within, name))];
  const entries = found.filter((entry) => entry !== undefined);
  if (entries.length === 0 && parameterNotFoundAction === 'Deny')
    throw new Error('no params found for policy binding with `Deny` parameterNotFoundAction');
  const shown = allInVersion(kind, entries);
  return shown instanceof Promise
    ? shown.then((all) => all.map((entry) => objectOf(entry)))
    : shown.map((entry) => {
        const object = objectOf(entry);
        return kind.conversion === null ? object : kind.conversion.fromStored(object);
      });
}

function selected(
  store: Store,
  kind: KindDef,
  namespace: string | undefined,
  selector: ParamRef['selector'],
): readonly Entry[] {
  const matcher = compileLabelSelector(labelRequirements(selector ?? {}));
  const prefix = namespace === undefined ? kind.storagePrefix : `${kind.storagePrefix}${namespace}/`;
  return store.list(prefix).filter((entry) => matcher(objectOf(entry).metadata.labels));
}
