// How many pods the owners of some pods want. An owner is found as Kubernetes finds it: the four kinds that it knows from memory, any
// other kind, custom resources included, through its scale subresource.
import {
  bareKind,
  CustomResourceDefinition,
  Deployment,
  isEstablished,
  kinds,
  type Pod,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../api/index.ts';
import type { Client, Lister } from '../../client/index.ts';
import {
  controllerOf,
  isNotFound,
  type KindDef,
  type KubeObject,
  type OwnerReference,
} from '../../machinery/index.ts';
import type { ControllerContext } from '../framework/index.ts';

export interface ExpectedPods {
  readonly count: number;
  /** Pods that nobody manages. */
  readonly unmanaged: readonly string[];
}

interface Scaled extends KubeObject {
  readonly spec?: { readonly replicas?: number | undefined };
}

/** Take it while a controller is built: it needs listers. What it returns rejects when an owner cannot be scaled or found. */
export function scaleReader({
  lister,
  client,
}: Pick<ControllerContext, 'lister' | 'client'>): (pods: readonly Pod[]) => Promise<ExpectedPods> {
  const known = [ReplicationController, ReplicaSet, StatefulSet].map((kind) => ({
    kind: kind as unknown as KindDef,
    objects: lister(kind as unknown as KindDef<Scaled>),
  }));
  const deployments = lister(Deployment);
  const definitions = lister(CustomResourceDefinition);

  /** Uid and number of pods of the owner, or of the deployment behind it. undefined = it is not there. */
  async function scaleOf(owner: OwnerReference, namespace: string): Promise<[string, number] | undefined> {
    const group = groupOf(owner.apiVersion);
    const found = known.find(({ kind }) => kind.kind === owner.kind && kind.group === group);
    if (found === undefined) return await throughSubresource(owner, namespace);
    const object = get(found.objects, owner, namespace);
    if (object === undefined) return undefined;
    const above = controllerOf(object);
    if (found.kind.kind === ReplicaSet.kind && above?.kind === Deployment.kind) {
      const deployment = get(deployments, above, namespace);
      return deployment && [deployment.metadata.uid, deployment.spec.replicas ?? 0];
    }
    return [object.metadata.uid, object.spec?.replicas ?? 0];
  }

  async function throughSubresource(
    owner: OwnerReference,
    namespace: string,
  ): Promise<[string, number] | undefined> {
    const kind = kindOf(owner, definitions);
    if (kind === undefined)
      throw new Error(`no matches for kind "${owner.kind}" in version "${owner.apiVersion}"`);
    if (kind.subresources.scale === undefined)
      throw new Error(`${kind.plural}.${kind.group} does not implement the scale subresource`);
    const scale = await readScale(client, { kind, namespace, name: owner.name });
    return scale?.metadata.uid === owner.uid ? [owner.uid, scale.spec?.replicas ?? 0] : undefined;
  }

  return async (pods) => {
    const wanted = new Map<string, number>();
    const seen = new Set<string>();
    const unmanaged: string[] = [];
    for (const pod of pods) {
      const owner = controllerOf(pod);
      if (owner === undefined) {
        unmanaged.push(pod.metadata.name);
        continue;
      }
      if (seen.has(owner.uid)) continue;
      seen.add(owner.uid);
      const scale = await scaleOf(owner, pod.metadata.namespace ?? '');
      if (scale === undefined)
        throw new Error(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`);
      wanted.set(...scale);
    }
    return { count: [...wanted.values()].reduce((sum, count) => sum + count, 0), unmanaged };
  };
}

function get<T extends KubeObject>(
  objects: Lister<T>,
  { name, uid }: OwnerReference,
  namespace: string,
): T | undefined {
  const found = objects.get(`${namespace}/${name}`);
  return found?.metadata.uid === uid ? found : undefined;
}

async function readScale(
  { transport }: Client,
  at: { readonly kind: KindDef; readonly namespace: string; readonly name: string },
): Promise<Scaled | undefined> {
  try {
    return (await transport.get({ ...at, subresource: 'scale' })) as Scaled;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return undefined;
  }
}

/** With the paths of its scale, where it has one. */
function kindOf(
  { apiVersion, kind }: OwnerReference,
  definitions: Lister<CustomResourceDefinition>,
): KindDef | undefined {
  const group = groupOf(apiVersion);
  const builtIn = kinds.find((one) => one.group === group && one.kind === kind && one.conversion === null);
  if (builtIn !== undefined) return builtIn;
  const definition = definitions
    .list()
    .find((one) => one.spec.group === group && one.spec.names.kind === kind && isEstablished(one));
  const bare = definition && bareKind(definition);
  if (definition === undefined || bare === undefined) return undefined;
  const paths = definition.spec.versions.find(({ name }) => name === bare.version)?.subresources?.scale;
  if (paths === undefined) return bare;
  const { specReplicasPath, statusReplicasPath, labelSelectorPath = '' } = paths;
  const scale = {
    replicas: withoutDot(specReplicasPath),
    statusReplicas: withoutDot(statusReplicasPath),
    selector: withoutDot(labelSelectorPath),
  };
  return { ...bare, subresources: { ...bare.subresources, scale } };
}

const withoutDot = (path: string): string => path.replace(/^\./, '');

const groupOf = (apiVersion: string): string => {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
};
