// The files of configMap, secret, downwardAPI and projected volumes. Pure over a lookup of objects; tokens are given.
import type { ConfigMap, coreV1, Secret } from '../../api/index.ts';
import { type DownwardContext, fieldValue, resourceValue } from '../container/downward.ts';
import type { ObjectLookup } from '../container/environment.ts';
import { VolumeError } from './volume-error.ts';

export interface VolumeFile {
  readonly data: Buffer;
  readonly mode: number;
  /** Owner; undefined = root. Tokens belong to the user of the pod. */
  readonly uid?: number | undefined;
}

/** By path inside the volume. */
export type Payload = ReadonlyMap<string, VolumeFile>;

interface Source {
  readonly items?: readonly coreV1.KeyToPath[] | undefined;
  readonly optional?: boolean | undefined;
}

function select(
  data: ReadonlyMap<string, Buffer>,
  source: Source,
  options: { mode: number; missing: (key: string) => string },
): Map<string, VolumeFile> {
  const out = new Map<string, VolumeFile>();
  if (source.items === undefined || source.items.length === 0) {
    for (const [key, value] of data) out.set(key, { data: value, mode: options.mode });
    return out;
  }
  for (const { key, path, mode } of source.items) {
    const value = data.get(key);
    if (value !== undefined) out.set(path, { data: value, mode: mode ?? options.mode });
    else if (source.optional !== true) throw new VolumeError(options.missing(key));
  }
  return out;
}

const none: Payload = new Map();

export function configMapPayload(
  found: ConfigMap | undefined,
  source: Source & { readonly name?: string | undefined },
  mode: number,
): Payload {
  if (found === undefined) {
    if (source.optional === true) return none;
    throw new VolumeError(`configmap "${source.name ?? ''}" not found`);
  }
  const data = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(found.data ?? {})) data.set(key, Buffer.from(text, 'utf8'));
  for (const [key, text] of Object.entries(found.binaryData ?? {}))
    data.set(key, Buffer.from(text, 'base64'));
  return select(data, source, {
    mode,
    missing: (key) => `configmap references non-existent config key: ${key}`,
  });
}

export function secretPayload(
  found: Secret | undefined,
  source: Source & { readonly name?: string | undefined },
  mode: number,
): Payload {
  if (found === undefined) {
    if (source.optional === true) return none;
    throw new VolumeError(`secret "${source.name ?? ''}" not found`);
  }
  const data = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(found.data ?? {})) data.set(key, Buffer.from(text, 'base64'));
  return select(data, source, { mode, missing: (key) => `references non-existent secret key: ${key}` });
}

export function downwardPayload(
  items: readonly coreV1.DownwardAPIVolumeFile[] | undefined,
  context: DownwardContext,
  mode: number,
): Payload {
  const out = new Map<string, VolumeFile>();
  for (const item of items ?? []) {
    let value: string;
    try {
      value =
        item.fieldRef !== undefined
          ? fieldValue(context, item.fieldRef.fieldPath)
          : item.resourceFieldRef !== undefined
            ? resourceValue(context, item.resourceFieldRef, item.resourceFieldRef.containerName ?? '')
            : '';
    } catch (error) {
      throw new VolumeError((error as Error).message);
    }
    out.set(item.path, { data: Buffer.from(value), mode: item.mode ?? mode });
  }
  return out;
}

export interface ProjectionInput {
  readonly objects: ObjectLookup;
  readonly downward: DownwardContext;
  /** The token of a serviceAccountToken source, fetched before. */
  token(source: coreV1.ServiceAccountTokenProjection): string;
  /** Tokens belong to this user when the whole pod runs as it. */
  readonly tokenUid: number | undefined;
  /** Whether the volume's group gets to read them. */
  readonly hasGroup: boolean;
}

const defaultMode = 0o644;
const tokenMode = 0o600;

export function projectedPayload(source: coreV1.ProjectedVolumeSource, input: ProjectionInput): Payload {
  const mode = source.defaultMode ?? defaultMode;
  const out = new Map<string, VolumeFile>();
  for (const part of source.sources ?? []) {
    let files: Payload;
    if (part.configMap !== undefined)
      files = configMapPayload(input.objects.configMap(part.configMap.name ?? ''), part.configMap, mode);
    else if (part.secret !== undefined)
      files = secretPayload(input.objects.secret(part.secret.name ?? ''), part.secret, mode);
    else if (part.downwardAPI !== undefined)
      files = downwardPayload(part.downwardAPI.items, input.downward, mode);
    else if (part.serviceAccountToken !== undefined) {
      const file: VolumeFile = {
        data: Buffer.from(input.token(part.serviceAccountToken)),
        // Who may read it is given it; where nobody is known, everybody may.
        mode: input.tokenUid === undefined && !input.hasGroup ? mode : tokenMode,
        uid: input.tokenUid,
      };
      files = new Map([[part.serviceAccountToken.path, file]]);
    } else if (part.clusterTrustBundle?.optional === true) {
      // None of them is there, which it says is well: the file is there and empty.
      files = new Map([[part.clusterTrustBundle.path, { data: Buffer.alloc(0), mode }]]);
    } else {
      // One that names nothing gives nothing.
      files = new Map();
      for (const [kind, value] of Object.entries(part))
        if (value !== undefined)
          throw new VolumeError(`projected volume source ${kind} is not supported by this node`);
    }
    for (const [path, file] of files) out.set(path, file);
  }
  return out;
}

/** The payload of the volumes that are made of objects; undefined = the volume is of another kind. */
export function volumePayload(volume: coreV1.Volume, input: ProjectionInput): Payload | undefined {
  if (volume.configMap !== undefined) {
    const { name = '' } = volume.configMap;
    return configMapPayload(
      input.objects.configMap(name),
      volume.configMap,
      volume.configMap.defaultMode ?? defaultMode,
    );
  }
  if (volume.secret !== undefined) {
    const { secretName = '', defaultMode: mode = defaultMode, items, optional } = volume.secret;
    return secretPayload(input.objects.secret(secretName), { name: secretName, items, optional }, mode);
  }
  if (volume.downwardAPI !== undefined)
    return downwardPayload(
      volume.downwardAPI.items,
      input.downward,
      volume.downwardAPI.defaultMode ?? defaultMode,
    );
  if (volume.projected !== undefined) return projectedPayload(volume.projected, input);
  return undefined;
}
