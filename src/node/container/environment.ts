// A container's environment, in the order of the kubelet: service variables, envFrom, env; later ones win and may refer to
// earlier ones. Pure over a lookup of the objects it refers to.
import type { ConfigMap, coreV1, Secret } from '../../api/index.ts';
import { type DownwardContext, fieldValue, resourceValue } from './downward.ts';
import { envFileValue } from './env-file.ts';
import { expand } from './expansion.ts';

/** Something a container needs is not there or not right: it waits with this reason until it is. */
export class ContainerConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CreateContainerConfigError';
  }
}

/** Objects of the pod's namespace. undefined = does not exist. */
export interface ObjectLookup {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
}

export interface EnvironmentInput {
  readonly container: coreV1.Container;
  readonly namespace: string;
  readonly services: ReadonlyMap<string, string>;
  readonly objects: ObjectLookup;
  readonly downward: DownwardContext;
  /** What fileKeyRef may refer to. */
  readonly files?: EnvFiles | undefined;
}

/** What files of variables hold, by `VOLUME/PATH`; a file that is not there is left out. */
export type EnvFiles = ReadonlyMap<string, string>;

export interface Environment {
  readonly values: ReadonlyMap<string, string>;
  /** Keys of envFrom that are no names of variables, for the event. */
  readonly skipped: readonly {
    readonly kind: string;
    readonly name: string;
    readonly keys: readonly string[];
  }[];
}

/** Since 1.34 nearly everything printable is a name; `=` never is. */
const isVariableName = (name: string): boolean => name !== '' && /^[\x20-\x3c\x3e-\x7e]+$/.test(name);
const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

export function buildEnvironment(input: EnvironmentInput): Environment {
  const { container, namespace, objects } = input;
  const values = new Map(input.services);
  const skipped: { kind: string; name: string; keys: string[] }[] = [];

  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const ref = configMapRef ?? secretRef;
    const kind = configMapRef !== undefined ? 'configmap' : 'secret';
    const name = ref?.name ?? '';
    let data: Record<string, string> | undefined;
    if (configMapRef !== undefined) {
      const found = objects.configMap(name);
      if (found !== undefined) data = found.data ?? {};
    } else {
      const found = objects.secret(name);
      if (found !== undefined)
        data = Object.fromEntries(Object.entries(found.data ?? {}).map(([k, v]) => [k, decode(v)]));
    }
    if (data === undefined) {
      if (ref?.optional === true) continue;
      throw new ContainerConfigError(`${kind} "${name}" not found`);
    }
    const wrong: string[] = [];
    for (const key of Object.keys(data).sort()) {
      const variable = prefix + key;
      if (isVariableName(variable)) values.set(variable, data[key]!);
      else wrong.push(key);
    }
    if (wrong.length > 0) skipped.push({ kind, name: `${namespace}/${name}`, keys: wrong });
  }

  for (const variable of container.env ?? []) {
    const value = valueFor(variable, input, values);
    if (value !== undefined) values.set(variable.name, value);
  }
  return { values, skipped };
}

function valueFor(
  variable: coreV1.EnvVar,
  input: EnvironmentInput,
  values: ReadonlyMap<string, string>,
): string | undefined {
  const { container, namespace, objects, downward } = input;
  const from = variable.valueFrom;
  if (from === undefined || variable.value) return expand(variable.value ?? '', values);
  if (from.fieldRef !== undefined) return fieldValue(downward, from.fieldRef.fieldPath);
  if (from.resourceFieldRef !== undefined)
    return resourceValue(downward, from.resourceFieldRef, container.name);
  if (from.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = from.configMapKeyRef;
    const found = objects.configMap(name);
    const value =
      found?.data?.[key] ??
      (found?.binaryData?.[key] === undefined ? undefined : decode(found.binaryData[key]!));
    if (value !== undefined) return value;
    if (optional === true) return undefined;
    throw new ContainerConfigError(
      found === undefined
        ? `configmap "${name}" not found`
        : `couldn't find key ${key} in ConfigMap ${namespace}/${name}`,
    );
  }
  if (from.secretKeyRef !== undefined) {
    const { name = '', key, optional } = from.secretKeyRef;
    const found = objects.secret(name);
    const value = found?.data?.[key];
    if (value !== undefined) return decode(value);
    if (optional === true) return undefined;
    throw new ContainerConfigError(
      found === undefined
        ? `secret "${name}" not found`
        : `couldn't find key ${key} in Secret ${namespace}/${name}`,
    );
  }
  if (from.fileKeyRef !== undefined) {
    const { volumeName, path, key, optional } = from.fileKeyRef;
    const file = input.files?.get(`${volumeName}/${path}`);
    const { value, error } = file === undefined ? {} : envFileValue(file, key);
    if (value !== undefined) return value;
    if (error !== undefined)
      throw new ContainerConfigError(`couldn't parse env file "${path}" in volume "${volumeName}": ${error}`);
    if (optional === true) return undefined;
    throw new ContainerConfigError(
      file === undefined
        ? `couldn't find env file "${path}" in volume "${volumeName}"`
        : `environment variable key "${key}" not found in file "${path}"`,
    );
  }
  return '';
}
