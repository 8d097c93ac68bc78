// Rules of volumes made of API data: single keys, downward API files, and the projected volume that joins them.
import {
  checkDns1123Subdomain,
  checkDomainPrefixedPath,
  type FieldAt,
  validateLabelSelector,
} from '../../../../../machinery/index.ts';
import type {
  ClusterTrustBundleProjection,
  DownwardAPIVolumeFile,
  KeyToPath,
  ServiceAccountTokenProjection,
  VolumeProjection,
} from '../../../../generated/core-v1.ts';
import { validateFieldRef, validateResourceFieldRef } from './env.ts';
import { checkFilePath, validateFileMode } from './paths.ts';

export function validateKeyToPath(item: KeyToPath, field: FieldAt): void {
  field.child('key').requiredText(item.key);
  field.child('path').requiredText(item.path, checkFilePath);
  validateFileMode(item.mode, field.child('mode'));
}

const volumeFieldPaths = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

/** `field` is the source that holds the file: Kubernetes does not say which file it was. */
export function validateDownwardApiFile(file: DownwardAPIVolumeFile, field: FieldAt): void {
  field.child('path').requiredText(file.path, checkFilePath);
  if (file.fieldRef !== undefined) {
    validateFieldRef(file.fieldRef, volumeFieldPaths, field.child('fieldRef'));
    if (file.resourceFieldRef !== undefined)
      field.invalid('resource', 'fieldRef and resourceFieldRef can not be specified simultaneously');
  } else if (file.resourceFieldRef !== undefined)
    validateResourceFieldRef(file.resourceFieldRef, field.child('resourceFieldRef'), 'volume');
  else field.required('one of fieldRef and resourceFieldRef is required');
  validateFileMode(file.mode, field.child('mode'));
}

export function validateProjected(sources: readonly VolumeProjection[], field: FieldAt): void {
  const paths = new Set<string>();
  /** Two sources may not write the same file. `shown` is the value the complaint shows. */
  const claimPath = (path: string, shown = path): void => {
    if (path === '') return;
    if (paths.has(path)) field.invalid(shown, 'conflicting duplicate paths');
    paths.add(path);
  };
  for (const [i, source] of sources.entries()) {
    const here = field.child('sources').index(i);
    for (const kind of ['secret', 'configMap'] as const) {
      const from = source[kind];
      if (from === undefined) continue;
      here.child(kind, 'name').requiredText(from.name);
      for (const [j, item] of (from.items ?? []).entries()) {
        validateKeyToPath(item, here.child(kind, 'items').index(j));
        claimPath(item.path, from.name ?? '');
      }
    }
    for (const item of source.downwardAPI?.items ?? []) {
      validateDownwardApiFile(item, here.child('downwardAPI'));
      claimPath(item.path);
    }
    if (source.serviceAccountToken !== undefined)
      validateToken(source.serviceAccountToken, here.child('serviceAccountToken'), field);
    if (source.clusterTrustBundle !== undefined) {
      validateTrustBundle(source.clusterTrustBundle, here.child('clusterTrustBundle'));
      claimPath(source.clusterTrustBundle.path);
    }
    if (Object.values(source).filter((value) => value !== undefined).length > 1)
      here.forbidden('may not specify more than 1 volume type per source');
  }
}

function validateToken(token: ServiceAccountTokenProjection, field: FieldAt, volume: FieldAt): void {
  const seconds = token.expirationSeconds ?? 0;
  const expiration = field.child('expirationSeconds');
  if (seconds < 10 * 60) expiration.invalid(seconds, 'may not specify a duration less than 10 minutes');
  if (seconds > 2 ** 32) expiration.invalid(seconds, 'may not specify a duration larger than 2^32 seconds');
  volume.child('path').requiredText(token.path, checkFilePath);
}

function validateTrustBundle(bundle: ClusterTrustBundleProjection, field: FieldAt): void {
  const { name, signerName, labelSelector } = bundle;
  if (name !== undefined && signerName !== undefined)
    field.invalid(bundle, 'only one of name and signerName may be used');
  else if (name !== undefined) {
    if (name === '') field.child('name').required('must be a valid object name');
    for (const message of checkDns1123Subdomain(name.replaceAll(':', '.')))
      field.child('name').invalid(name, `not a valid clustertrustbundlename: ${message}`);
    if (labelSelector !== undefined)
      field.child('labelSelector').invalid(labelSelector, 'labelSelector must be unset if name is specified');
  } else if (signerName !== undefined) {
    field.child('signerName').requiredText(signerName, checkDomainPrefixedPath);
    validateLabelSelector(labelSelector, field.child('labelSelector').path, field.causes);
  } else field.required('either name or signerName must be specified');
  field.child('path').requiredText(bundle.path, checkFilePath);
}
