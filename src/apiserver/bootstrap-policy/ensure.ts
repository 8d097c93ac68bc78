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
} from '../../machinery/index.ts';
import { catchUp, type RegistryCore } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import { clusterRoleBindings, clusterRoles } from './cluster-roles.ts';
import { controllerRoleBindings, controllerRoles } from './controller-roles.ts';
import { firstWrite } from './first-write.ts';
import { roleBindings, roles } from './namespaced-roles.ts';
import { type PolicyPlan, planBinding, planRole } from './plan.ts';
import type { ClusterRoleDraft } from './rule.ts';

export interface PolicyParts {
  readonly client: Client;
  readonly core: Pick<RegistryCore, 'store' | 'random' | 'clock'>;
}

/** Rejects when the store is away, or when others change the same objects again and again. */
export async function ensureRbacPolicy(parts: PolicyParts): Promise<void> {
  if (parts.core.store.shared) await catchUp(parts.core);
  const all = withGatheredRules([...clusterRoles, ...controllerRoles]);
  await Promise.all([
    ensureAll(parts, ClusterRole, all, planOfRole),
    ensureAll(parts, ClusterRoleBinding, [...clusterRoleBindings, ...controllerRoleBindings], planBinding),
    ensureAll(parts, Role, roles, planOfRole),
    ensureAll(parts, RoleBinding, roleBindings, planBinding),
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

type Plan<T extends KubeObject> = (stored: T, wanted: Draft<T>) => PolicyPlan<T> | undefined;

/** The rules of a role that gathers are not compared: they are what it gathers now. */
function planOfRole<T extends Role | ClusterRole>(stored: T, wanted: Draft<T>): PolicyPlan<T> | undefined {
  const gathers = (wanted as ClusterRoleDraft).aggregationRule !== undefined;
  const next = planRole(stored, gathers ? { ...wanted, rules: [] } : wanted);
  return next === undefined ? undefined : { act: 'update', object: next };
}

async function ensureAll<T extends KubeObject>(
  parts: PolicyParts,
  kind: KindDef<T>,
  wanted: readonly Draft<T>[],
  plan: Plan<T>,
): Promise<void> {
  const { core } = parts;
  const isNew = core.store.count(kind.storagePrefix) === 0;
  await Promise.all(
    wanted.map(async (draft) => {
      if (isNew && (await firstWrite(core, kind as unknown as KindDef, draft))) return;
      await ensureOne(parts, kind, draft, plan);
    }),
  );
}

async function ensureOne<T extends KubeObject>(
  { client, core }: PolicyParts,
  kind: KindDef<T>,
  draft: Draft<T>,
  plan: Plan<T>,
): Promise<void> {
  const { name = '', namespace } = draft.metadata;
  const key = keyFor(kind as unknown as KindDef, namespace, name);
  // Another server does the same at this moment, or a user is at work.
  for (let attempt = 1; ; attempt++) {
    try {
      const entry = core.store.get(key);
      const stored = entry && objectOf<T>(entry);
      const next = stored && plan(stored, draft);
      if (stored !== undefined && next === undefined) return;
      if (next?.act === 'update') {
        await client(kind).update(next.object);
        return;
      }
      if (stored !== undefined)
        await client(kind).delete(name, namespace, { preconditions: { uid: stored.metadata.uid } });
      await client(kind).create(structuredClone(draft));
      return;
    } catch (error) {
      const raced = isAlreadyExists(error) || isConflict(error) || isNotFound(error);
      if (!raced || attempt === 5) throw error;
    }
  }
}
