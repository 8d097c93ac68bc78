// IPAddress: an address that is taken, and by whom. Its name is the address.
import {
  checkDns1123Subdomain,
  checkIp,
  checkPathSegment,
  defineKind,
  FieldAt,
  parseIp,
} from '../../../machinery/index.ts';
import { nameColumn, textColumn } from '../../columns.ts';
import type { IPAddress as IPAddressObject } from '../../generated/networking-v1.ts';
import { shape } from '../../shape.ts';

export type IPAddress = IPAddressObject;

function checkCanonicalIp(name: string): readonly string[] {
  const ip = parseIp(name);
  if (ip === undefined) return checkIp(name);
  return ip.text === name ? [] : [`must be in canonical form (${JSON.stringify(ip.text)})`];
}

export const IPAddress = defineKind<IPAddressObject>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  shortNames: ['ip'],
  scope: 'Cluster',
  schema: shape('networking.v1.IPAddress'),
  nameRule: checkCanonicalIp,
  columns: [
    nameColumn,
    textColumn('ParentRef', 'Who has the address.', ({ spec }) => {
      const parent = spec?.parentRef;
      if (parent === undefined) return '<none>';
      const { group = '', resource = '', namespace = '', name = '' } = parent;
      const kind = `${resource}${group === '' ? '' : `.${group}`}`.toLowerCase();
      return `${kind}/${namespace === '' ? '' : `${namespace}/`}${name}`;
    }),
  ],
  selectableFields: {
    'spec.parentRef.group': ({ spec }) => spec?.parentRef?.group ?? '',
    'spec.parentRef.name': ({ spec }) => spec?.parentRef?.name ?? '',
    'spec.parentRef.namespace': ({ spec }) => spec?.parentRef?.namespace ?? '',
    'spec.parentRef.resource': ({ spec }) => spec?.parentRef?.resource ?? '',
  },
  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes).child('parentRef');
    const parent = spec?.parentRef;
    if (old !== undefined) {
      field.immutable(parent, old.spec.parentRef);
      return;
    }
    if (parent === undefined || parent === null) {
      field.required();
      return;
    }
    if (parent.group) field.child('group').refuse(parent.group, checkDns1123Subdomain(parent.group));
    field.child('resource').requiredText(parent.resource, checkPathSegment);
    field.child('name').requiredText(parent.name, checkPathSegment);
    if (parent.namespace)
      field.child('namespace').refuse(parent.namespace, checkPathSegment(parent.namespace));
  },
});
