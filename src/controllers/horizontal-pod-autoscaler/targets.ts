// Finding what an autoscaler names: which resources a group and kind stand for, custom ones included, and how large an object is.
import { bareKind, type CustomResourceDefinition, kinds } from '../../api/index.ts';
import type { Client, Lister } from '../../client/index.ts';
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import { type Failure, isFailure } from './outcome.ts';
import type { TargetScale } from './plan.ts';

interface Reference {
  readonly apiVersion?: string | undefined;
  readonly kind: string;
}

/** Served kinds of that name, the preferred version first. As Kubernetes: the version that the reference names does not matter. */
export function kindsNamed(
  { apiVersion = '', kind }: Reference,
  definitions: Lister<CustomResourceDefinition>,
): readonly KindDef[] | Failure {
  const parts = apiVersion.split('/');
  if (parts.length > 2) return { failure: `unexpected GroupVersion string: ${apiVersion}` };
  const group = parts.length === 2 ? parts[0]! : '';
  const found = kinds.filter((one) => one.group === group && one.kind === kind);
  if (found.length > 0) return found;
  for (const definition of definitions.list()) {
    const custom = bareKind(definition);
    if (custom?.group === group && custom.kind === kind) return [custom];
  }
  return { failure: `no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(group)}` };
}

interface Scale extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number; readonly selector?: string };
}

export interface FoundScale extends TargetScale {
  readonly kind: KindDef;
  readonly resourceVersion: string;
}

/** Asks the server. The first of the kinds that has such an object with a size answers. */
export async function readScale(
  client: Client,
  found: readonly KindDef[] | Failure,
  { namespace, name }: { namespace: string; name: string },
): Promise<FoundScale | Failure> {
  if (isFailure(found)) return found;
  let first: Failure | undefined;
  for (const kind of found) {
    try {
      const target = { kind, namespace, name, subresource: 'scale' };
      const { metadata, spec, status } = (await client.transport.get(target)) as Scale;
      return {
        kind,
        resourceVersion: metadata.resourceVersion,
        replicas: spec?.replicas ?? 0,
        running: status?.replicas ?? 0,
        selector: status?.selector ?? '',
      };
    } catch (error) {
      first ??= { failure: (error as Error).message };
    }
  }
  return first ?? { failure: 'unrecognized resource' };
}
