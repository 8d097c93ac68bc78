// The kinds of resource names: Kubernetes' own, huge pages of one size, and those that vendors add.
import { checkQualifiedName } from '../../../../machinery/index.ts';
import { compareQuantities } from './quantities.ts';

const hugePagesPrefix = 'hugepages-';

export const isHugePages = (name: string): boolean => name.startsWith(hugePagesPrefix);

/** `2Mi` of `hugepages-2Mi`; undefined when the name holds no positive size. */
export function hugePageSize(name: string): string | undefined {
  const size = name.slice(hugePagesPrefix.length);
  return /^[0-9]+(?:[kMGTPE]i?)?$/.test(size) && compareQuantities(size, '0') > 0 ? size : undefined;
}

/** Without a domain, or of one that belongs to Kubernetes. */
export const isNativeResource = (name: string): boolean =>
  !name.includes('/') || name.includes('kubernetes.io/');

/** Added by a vendor: `example.com/gpu`. Whole numbers, and requests equal limits. */
export function isExtendedResource(name: string): boolean {
  if (isNativeResource(name) || name.startsWith('requests.')) return false;
  // Quota counts it under this name, which must fit as well.
  return checkQualifiedName(`requests.${name}`).length === 0;
}

/** May containers ask for less than their limit? */
export const isOvercommitAllowed = (name: string): boolean => isNativeResource(name) && !isHugePages(name);

/** May it be given for the pod as a whole? */
export const isPodLevelResource = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || isHugePages(name);
