// ServiceCIDR: ranges from which services get their addresses.
import { checkCidr, defineKind, FieldAt, immutableMessage, parseCidr } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type { ServiceCIDR as ServiceCIDRObject } from '../../generated/networking-v1.ts';
import { shape } from '../../shape.ts';

export type ServiceCIDR = ServiceCIDRObject;

function checkCanonicalCidr(value: string): readonly string[] {
  const cidr = parseCidr(value);
  if (cidr === undefined) return checkCidr(value);
  if (cidr.network === value) return [];
  return `${cidr.text}/${cidr.prefixLength}` === cidr.network
    ? [`must be in canonical form (${JSON.stringify(cidr.network)})`]
    : ['must not have bits set beyond the prefix length'];
}

export const ServiceCIDR = defineKind<ServiceCIDRObject>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'ServiceCIDR',
  plural: 'servicecidrs',
  scope: 'Cluster',
  schema: shape('networking.v1.ServiceCIDR'),
  subresources: { status: true },
  columns: [
    nameColumn,
    textColumn('CIDRs', 'Its ranges, one of each family at most.', ({ spec }) =>
      (spec?.cidrs ?? []).join(','),
    ),
    ageColumn,
  ],
  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes).child('cidrs');
    const cidrs = spec?.cidrs ?? [];
    if (old === undefined) {
      validateRanges(cidrs, field);
      return;
    }
    const before = old.spec?.cidrs ?? [];
    // a second family may join the first
    const grows = before.length === 1 && cidrs.length === 2;
    if (!grows && before.length !== cidrs.length) {
      field.invalid(cidrs, immutableMessage);
      return;
    }
    for (const [i, cidr] of before.entries())
      if (cidr !== cidrs[i]) field.index(i).invalid(cidrs[i], immutableMessage);
    if (grows) validateRanges(cidrs, field);
  },
});

function validateRanges(cidrs: readonly string[], field: FieldAt): void {
  if (cidrs.length === 0) {
    field.required('at least one CIDR required');
    return;
  }
  if (cidrs.length > 2) {
    field.invalid({ cidrs }, 'may only hold up to 2 values');
    return;
  }
  for (const [i, cidr] of cidrs.entries()) field.index(i).refuse(cidr, checkCanonicalCidr(cidr));
  const [first, second] = cidrs.map((cidr) => parseCidr(cidr)?.family);
  if (cidrs.length === 2 && first !== undefined && first === second)
    field.invalid(
      cidrs,
      'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    );
}
