// Puts the roles and bindings of every cluster into the store when a server starts: kube-apiserver's hook rbac/bootstrap-roles. All at once,
// so that the store writes them together. Before readiness, since who is told that a server is ready uses `view` in the next second.
import { aggregatedRules, ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import {
  type Draft,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KindDef,
  type KubeObject,
  keyOf,
} from '../../machinery/index.ts';
import { clusterRoleBindings, clusterRoles } from './cluster-roles.ts';
import { controllerRoleBindings, controllerRoles } from './controller-roles.ts';
import { roleBindings, roles } from './namespaced-roles.ts';
import { type PolicyPlan, planBinding, planRole } from './plan.ts';
import type { ClusterRoleDraft } from './rule.ts';

export async function ensureRbacPolicy(client: Client): Promise<void> {
  const allRoles = withGatheredRules([...clusterRoles, ...controllerRoles]);
  const allBindings = [...clusterRoleBindings, ...controllerRoleBindings];
  await Promise.all([
    ensureAll(client, ClusterRole, { wanted: allRoles, plan: planOfRole }),
    ensureAll(client, ClusterRoleBinding, { wanted: allBindings, plan: planBinding }),
    ...['kube-system', 'kube-public'].flatMap((namespace) => {
      const here = <T extends KubeObject>(list: readonly Draft<T>[]) =>
        list.filter(({ metadata }) => metadata.namespace === namespace);
      return [
        ensureAll(client, Role, { namespace, wanted: here(roles), plan: planOfRole }),
        ensureAll(client, RoleBinding, { namespace, wanted: here(roleBindings), plan: planBinding }),
      ];
    }),
  ]);
}

/** A role that gathers has its rules from the start; later ones are its controller's (controllers/cluster-role-aggregation). */
function withGatheredRules(wanted: readonly ClusterRoleDraft[]): readonly ClusterRoleDraft[] {
  let all = wanted as readonly ClusterRole[];
  // `view` is gathered into `edit`, and that into `admin`.
  for (const name of ['view', 'edit', 'admin'])
    all = all.map((role) =>
      role.metadata.name === name ? { ...role, rules: [...aggregatedRules(role, all)] } : role,
    );
  return all;
}

interface Wanted<T extends KubeObject> {
  readonly namespace?: string;
  readonly wanted: readonly Draft<T>[];
  readonly plan: (stored: T, wanted: Draft<T>) => PolicyPlan<T> | undefined;
}

/** The rules of a role that gathers are not compared: they are what it gathers now. */
function planOfRole<T extends Role | ClusterRole>(stored: T, wanted: Draft<T>): PolicyPlan<T> | undefined {
  const gathers = (wanted as ClusterRoleDraft).aggregationRule !== undefined;
  const next = planRole(stored, gathers ? { ...wanted, rules: [] } : wanted);
  return next === undefined ? undefined : { act: 'update', object: next };
}

async function ensureAll<T extends KubeObject>(
  client: Client,
  kind: KindDef<T>,
  { namespace, wanted, plan }: Wanted<T>,
): Promise<void> {
  const { items } = await client(kind).list({ namespace });
  const stored = new Map(items.map((object) => [keyOf(object), object]));
  await Promise.all(
    wanted.map(async (draft) => {
      let current = stored.get(keyOf(draft));
      // Another server does the same at this moment, or a user is at work.
      for (let attempt = 1; ; attempt++) {
        try {
          return await settle(client, kind, { current, draft, plan });
        } catch (error) {
          const raced = isAlreadyExists(error) || isConflict(error) || isNotFound(error);
          if (!raced || attempt === 5) throw error;
          current = await find(client, kind, draft);
        }
      }
    }),
  );
}

async function settle<T extends KubeObject>(
  client: Client,
  kind: KindDef<T>,
  { current, draft, plan }: { current: T | undefined; draft: Draft<T>; plan: Wanted<T>['plan'] },
): Promise<void> {
  if (current !== undefined) {
    const next = plan(current, draft);
    if (next === undefined) return;
    if (next.act === 'update') {
      await client(kind).update(next.object);
      return;
    }
    const { name, namespace, uid } = current.metadata;
    await client(kind).delete(name, namespace, { preconditions: { uid } });
  }
  await client(kind).create({ ...draft, metadata: { ...draft.metadata } });
}

async function find<T extends KubeObject>(
  client: Client,
  kind: KindDef<T>,
  { metadata }: Draft<T>,
): Promise<T | undefined> {
  try {
    return await client(kind).get(metadata.name ?? '', metadata.namespace);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
