// Rules of environment variables and of the downward API references they share with volumes.
import {
  checkAnnotationKey,
  checkConfigMapKey,
  checkDns1123Subdomain,
  checkEnvVarName,
  checkQualifiedName,
  type FieldAt,
} from '../../../../../machinery/index.ts';
import type {
  ConfigMapKeySelector,
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  FileKeySelector,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from '../../../../generated/core-v1.ts';
import { checkFilePath } from './paths.ts';

export function validateEnv(vars: readonly EnvVar[], field: FieldAt): void {
  for (const [i, variable] of vars.entries()) {
    const here = field.index(i);
    here.child('name').requiredText(variable.name, checkEnvVarName);
    if (variable.valueFrom !== undefined)
      validateValueFrom(variable.valueFrom, variable.value, here.child('valueFrom'));
  }
}

const envFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

function validateValueFrom(from: EnvVarSource, value: string | undefined, field: FieldAt): void {
  let sources = 0;
  if (from.fieldRef !== undefined) {
    sources++;
    validateFieldRef(from.fieldRef, envFieldPaths, field.child('fieldRef'));
  }
  if (from.resourceFieldRef !== undefined) {
    sources++;
    validateResourceFieldRef(from.resourceFieldRef, field.child('resourceFieldRef'));
  }
  if (from.configMapKeyRef !== undefined) {
    sources++;
    validateKeyRef(from.configMapKeyRef, field.child('configMapKeyRef'));
  }
  if (from.secretKeyRef !== undefined) {
    sources++;
    validateKeyRef(from.secretKeyRef, field.child('secretKeyRef'));
  }
  if (from.fileKeyRef !== undefined) {
    sources++;
    validateFileKeyRef(from.fileKeyRef, field.child('fileKeyRef'));
  }
  if (sources === 0)
    field.invalid(
      '',
      'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
    );
  else if (value !== undefined && value !== '')
    field.invalid('', 'may not be specified when `value` is not empty');
  else if (sources > 1) field.invalid('', 'may not have more than one field specified at a time');
}

function validateKeyRef(ref: ConfigMapKeySelector, field: FieldAt): void {
  field.child('name').refuse(ref.name ?? '', checkDns1123Subdomain(ref.name ?? ''));
  field.child('key').requiredText(ref.key, checkConfigMapKey);
}

function validateFileKeyRef(ref: FileKeySelector, field: FieldAt): void {
  field.child('volumeName').requiredText(ref.volumeName);
  field.child('path').requiredText(ref.path, checkFilePath);
  field.child('key').requiredText(ref.key, checkEnvVarName);
}

/** Every field of a pod that the downward API can name; which of them fit depends on where it is used. */
const knownFieldPaths = new Set([
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.serviceAccountName',
  'spec.schedulerName',
  'spec.hostNetwork',
  'status.phase',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);
const subscripted = /^(.*)\['(.*)'\]$/s;

/** `supported` are the paths without subscript that are allowed here. */
export function validateFieldRef(
  ref: ObjectFieldSelector,
  supported: readonly string[],
  field: FieldAt,
): void {
  const { apiVersion = '', fieldPath } = ref;
  if (apiVersion === '') {
    field.child('apiVersion').required();
    return;
  }
  if (fieldPath === undefined || fieldPath === '') {
    field.child('fieldPath').required();
    return;
  }
  const named = field.child('fieldPath');
  const refuse = (why: string) => named.invalid(fieldPath, `error converting fieldPath: ${why}`);
  if (apiVersion !== 'v1') {
    refuse(`unsupported pod version: ${apiVersion}`);
    return;
  }

  const match = subscripted.exec(fieldPath);
  if (match !== null) {
    const [, path, key] = match as unknown as [string, string, string];
    if (path === 'metadata.annotations') field.refuse(key.toLowerCase(), checkAnnotationKey(key));
    else if (path === 'metadata.labels') field.refuse(key, checkQualifiedName(key));
    else refuse(`field label does not support subscript: ${fieldPath}`);
    return;
  }
  const path = fieldPath === 'spec.host' ? 'spec.nodeName' : fieldPath;
  if (!knownFieldPaths.has(path)) refuse(`field label not supported: ${fieldPath}`);
  else named.oneOf(path, supported);
}

const resourcePaths = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const byteDivisors = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

/** In a volume the reference must name its container; elsewhere it is the container that holds the variable. */
export function validateResourceFieldRef(
  ref: ResourceFieldSelector,
  field: FieldAt,
  place: 'env' | 'volume' = 'env',
): void {
  const { resource } = ref;
  const hugePages = /^(?:limits|requests)\.hugepages-/.test(resource);
  if (place === 'volume' && (ref.containerName ?? '') === '') field.child('containerName').required();
  else if (resource === '') field.child('resource').required();
  else if (!hugePages) field.child('resource').oneOf(resource, resourcePaths);

  const divisor = ref.divisor ?? '0';
  if (divisor === '0') return;
  const cpu = resource.endsWith('.cpu');
  if ((cpu ? ['1m', '1'] : byteDivisors).includes(divisor)) return;
  if (!hugePages && !resourcePaths.includes(resource)) return;
  const name = cpu
    ? 'cpu'
    : hugePages
      ? 'hugepages'
      : resource.endsWith('.memory')
        ? 'memory'
        : 'local ephemeral storage';
  const allowed = cpu ? '1m and 1' : byteDivisors.join(', ');
  field
    .child('divisor')
    .invalid(resource, `only divisor's values ${allowed} are supported with the ${name} resource`);
}

export function validateEnvFrom(sources: readonly EnvFromSource[], field: FieldAt): void {
  for (const [i, source] of sources.entries()) {
    const here = field.index(i);
    if (source.prefix !== undefined && source.prefix !== '')
      here.child('prefix').refuse(source.prefix, checkEnvVarName(source.prefix));
    const { configMapRef, secretRef } = source;
    if (configMapRef !== undefined)
      here.child('configMapRef', 'name').requiredText(configMapRef.name, checkDns1123Subdomain);
    if (secretRef !== undefined)
      here.child('secretRef', 'name').requiredText(secretRef.name, checkDns1123Subdomain);
    // These two are about one source but name the list, as Kubernetes does.
    if (configMapRef === undefined && secretRef === undefined)
      field.invalid('', 'must specify one of: `configMapRef` or `secretRef`');
    else if (configMapRef !== undefined && secretRef !== undefined)
      field.invalid('', 'may not have more than one field specified at a time');
  }
}
