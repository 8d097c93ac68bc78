// ResourceQuota: says in the status what is limited and counts what is used. Admission charges what is made; what goes is given back
// here, by counting anew. Nothing is counted when something is made.
import {
  CustomResourceDefinition,
  isInScopes,
  isTerminal,
  objectCount,
  Pod,
  type QuotaAmounts,
  quotaResourcesOf,
  quotaUsage,
  ResourceQuota,
  totalOf,
} from '../../api/index.ts';
import type { Informer } from '../../client/index.ts';
import { type KindDef, type KubeObject, keyOf, semanticEqual } from '../../machinery/index.ts';
import { customKindOf } from '../custom-kinds.ts';
import { type Controller, defineController } from '../framework/index.ts';
import { ignoreNotFound } from '../ownership.ts';
import { type FirstLook, planRecount } from './plan.ts';

/** How often every quota is counted, whatever happens. */
const recountMs = 300_000;

export function resourceQuotaController(options: { readonly kinds: readonly KindDef[] }): Controller {
  const counted = options.kinds.filter(
    ({ scope, conversion, verbs, kind }) =>
      scope === 'Namespaced' && conversion === null && kind !== 'Event' && verbs.includes('watch'),
  );
  return defineController({
    name: 'resource-quota',
    reconciles: ResourceQuota,
    // Charges are no reason to count.
    when: (old, quota) =>
      !semanticEqual(old.spec, quota.spec) || !semanticEqual(old.status?.hard, quota.status?.hard),
    concurrency: 5,

    build({ clock, lister, informer, client, enqueue }) {
      const quotas = lister(ResourceQuota);
      const definitions = lister(CustomResourceDefinition);
      const firstLooks = new Map<string, FirstLook>();
      /** By the uid of the definition. */
      const custom = new Map<string, { kind: KindDef; objects: Informer }>();
      const usages = new WeakMap<KubeObject, QuotaAmounts>();

      const wake = (kind: KindDef, { metadata }: KubeObject): void => {
        for (const quota of quotas.list(metadata.namespace))
          if (quotaResourcesOf(kind, Object.keys(quota.spec.hard ?? {})).length > 0) enqueue(keyOf(quota));
      };
      const follow = (kind: KindDef): Informer => {
        const objects = informer(kind);
        objects.onChange({
          updated: (old, object) => {
            if (usesLess(kind, old, object)) wake(kind, object);
          },
          deleted: (object) => wake(kind, object),
        });
        return objects;
      };
      const builtIn = counted.map((kind) => ({ kind, objects: follow(kind) }));

      /** Definitions come and go; their objects are followed once a quota is about them. */
      async function customObjects(names: readonly string[]): Promise<typeof builtIn> {
        const found: typeof builtIn = [];
        const served = new Set<string>();
        for (const definition of definitions.list()) {
          const kind = customKindOf(definition);
          if (kind === undefined || kind.scope !== 'Namespaced') continue;
          const { uid } = definition.metadata;
          served.add(uid);
          if (!names.includes(objectCount(kind))) continue;
          let known = custom.get(uid);
          if (known?.kind !== kind) custom.set(uid, (known = { kind, objects: follow(kind) }));
          await known.objects.synced;
          found.push(known);
        }
        for (const uid of custom.keys()) if (!served.has(uid)) custom.delete(uid);
        return found;
      }

      function usageOf(kind: KindDef, object: KubeObject, nowMs: number): QuotaAmounts {
        const known = usages.get(object);
        if (known !== undefined) return known;
        const usage = quotaUsage(kind, object, nowMs);
        // What ends by the passing of time is looked at anew.
        if (object.metadata.deletionTimestamp === undefined) usages.set(object, usage);
        return usage;
      }

      async function count({ spec, metadata }: ResourceQuota, nowMs: number): Promise<QuotaAmounts> {
        const names = Object.keys(spec.hard ?? {});
        const usage: QuotaAmounts[] = [];
        const counted: string[] = [];
        for (const { kind, objects } of [...builtIn, ...(await customObjects(names))]) {
          const about = quotaResourcesOf(kind, names);
          if (about.length === 0) continue;
          counted.push(...about);
          for (const object of objects.list(metadata.namespace))
            if (isInScopes(spec, kind, object)) usage.push(usageOf(kind, object, nowMs));
        }
        return totalOf(usage, counted);
      }

      return async function reconcile(key) {
        const quota = quotas.get(key);
        if (quota === undefined) {
          firstLooks.delete(key);
          return;
        }
        const nowMs = clock.nowMs();
        const plan = planRecount({
          quota,
          counted: await count(quota, nowMs),
          firstLook: firstLooks.get(key),
          nowMs,
        });
        if (plan.firstLook === undefined) firstLooks.delete(key);
        else firstLooks.set(key, plan.firstLook);
        if (plan.status !== undefined)
          await client(ResourceQuota)
            .updateStatus({ ...quota, status: plan.status })
            .catch(ignoreNotFound);
        return { requeueAfterMs: plan.lookAgainInMs ?? recountMs };
      };
    },
  });
}

/** Changes that may give something back. */
function usesLess(kind: KindDef, old: KubeObject, object: KubeObject): boolean {
  if (kind.group !== '')
    return kind.plural === 'resourceclaims' && !semanticEqual(specOf(old), specOf(object));
  if (kind.kind === Pod.kind)
    return (
      (isTerminal(object as Pod) && !isTerminal(old as Pod)) ||
      (old.metadata.generation !== object.metadata.generation &&
        !semanticEqual((old as Pod).spec.containers, (object as Pod).spec.containers))
    );
  return (
    (kind.plural === 'services' || kind.plural === 'persistentvolumeclaims') &&
    !semanticEqual(specOf(old), specOf(object))
  );
}

const specOf = (object: KubeObject): unknown => (object as { spec?: unknown }).spec;
