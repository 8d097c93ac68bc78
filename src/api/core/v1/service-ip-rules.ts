// Rules of a service's cluster addresses and their families: one of each family at most, and the first never changes.
import { at, type Causes, checkIp, parseIp, semanticEqual } from '../../../machinery/index.ts';
import type { Service } from '../../generated/core-v1.ts';
import { isHeadless } from './service-needs.ts';

const families: readonly string[] = ['IPv4', 'IPv6'];
const policies: readonly string[] = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];

/** Also run by the allocator before it reads these fields. */
export function validateClusterIps(service: Service, causes: Causes): void {
  const { spec } = service;
  if (spec.type === 'ExternalName') return;
  const ips = spec.clusterIPs ?? [];
  const path = 'spec.clusterIPs';
  if (spec.clusterIP) {
    if (ips.length === 0) causes.required(path);
    else if (ips[0] !== spec.clusterIP) causes.invalid(path, ips, 'first value must match `clusterIP`');
  } else if (ips.length > 0) causes.invalid(path, ips, 'must be empty when `clusterIP` is not specified');

  const wanted = spec.ipFamilies ?? [];
  wanted.forEach((family, i) => {
    const here = at.index('spec.ipFamilies', i);
    if (!families.includes(family)) causes.notSupported(here, family, families);
    if (wanted.indexOf(family) < i) causes.duplicate(here, family);
  });
  if (spec.ipFamilyPolicy !== undefined && !policies.includes(spec.ipFamilyPolicy))
    causes.notSupported('spec.ipFamilyPolicy', spec.ipFamilyPolicy, policies);

  let readable = true;
  ips.forEach((ip, i) => {
    if (i === 0 && ip === 'None') {
      if (ips.length > 1) {
        readable = false;
        causes.invalid(path, ips, "'None' must be the first and only value");
      }
      return;
    }
    for (const message of checkIp(ip)) {
      readable = false;
      causes.invalid(at.index(path, i), ip, message);
    }
  });
  if (ips.length > 2) causes.invalid(path, ips, 'may only hold up to 2 values');
  if (!readable) return;
  const found = ips.map((ip) => parseIp(ip)?.family);
  if (ips.length > 1 && new Set(found).size < 2)
    causes.invalid(path, ips, 'may specify no more than one IP for each IP family');
  if (isHeadless(service)) return;
  ips.forEach((ip, i) => {
    const family = wanted[i];
    if ((family === 'IPv4' || family === 'IPv6') && found[i] !== family)
      causes.invalid(
        at.index(path, i),
        ip,
        `expected an ${family} value as indicated by \`ipFamilies[${i}]\``,
      );
  });
}

/** A second address or family may come and go, the first stays, except on the way from and to ExternalName. */
export function validateFamilyUpdate(service: Service, old: Service, causes: Causes): void {
  if (service.spec.type === 'ExternalName' || old.spec.type === 'ExternalName') return;
  if (!isHeadless(service) || !isHeadless(old))
    validateListUpdate({ service, old, field: 'clusterIPs', item: 'clusterIP' }, causes);
  if (!isHeadless(service) && !isHeadless(old))
    validateListUpdate({ service, old, field: 'ipFamilies', item: 'ipFamily' }, causes);
}

function validateListUpdate(
  update: { service: Service; old: Service; field: 'clusterIPs' | 'ipFamilies'; item: string },
  causes: Causes,
): void {
  const { service, old, field, item } = update;
  const now = service.spec[field] ?? [];
  const before = old.spec[field] ?? [];
  const first = `spec.${field}[0]`;
  if (now.length === before.length) {
    before.forEach((value, i) => {
      if (value !== now[i]) causes.invalid(at.index(`spec.${field}`, i), now, 'may not change once set');
    });
    return;
  }
  if (now.length === 0) causes.invalid(first, now, `primary ${item} can not be unset`);
  else if (before.length > 0 && !semanticEqual(now[0], before[0]))
    causes.invalid(first, now, 'may not change once set');
  if (now.length === 1 && before.length > 1 && service.spec.ipFamilyPolicy !== 'SingleStack')
    causes.invalid(
      'spec.ipFamilyPolicy',
      service.spec.ipFamilyPolicy ?? null,
      `must be set to 'SingleStack' when releasing the secondary ${item}`,
    );
}
