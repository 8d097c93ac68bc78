// The Roles of the system's namespaces and who has them. Facts: as cluster-roles.ts.
import {
  account,
  binding,
  core,
  events,
  type PolicyRule,
  type RoleBindingDraft,
  type RoleDraft,
  read,
  role,
  rule,
  user,
} from './rule.ts';

const system = 'kube-system';
const open = 'kube-public';
const coordination = 'coordination.k8s.io';

const locking = (name: string): PolicyRule[] => [
  rule('watch', core, 'configmaps'),
  rule('get update', core, 'configmaps', name),
  rule('create get list update watch', coordination, 'leases'),
  rule('create get list update watch', coordination, 'leasecandidates'),
];

const of = (name: string) => `system:controller:${name}`;
const lockOf = (name: string) => `system::leader-locking-${name}`;
const same = (name: string) => [name, name] as const;
const reader = 'extension-apiserver-authentication-reader';
const [manager, scheduler] = ['kube-controller-manager', 'kube-scheduler'];

export const roles: readonly RoleDraft[] = [
  role(system, reader, [rule(read, core, 'configmaps', 'extension-apiserver-authentication')]),
  role(system, of('bootstrap-signer'), [rule(read, core, 'secrets')]),
  role(system, of('cloud-provider'), [rule(`create ${read}`, core, 'configmaps')]),
  role(system, of('token-cleaner'), [rule(`delete ${read}`, core, 'secrets'), events]),
  role(system, lockOf(manager), locking(manager)),
  role(system, lockOf(scheduler), locking(scheduler)),
  role(open, of('bootstrap-signer'), [
    rule(read, core, 'configmaps'),
    rule('update', core, 'configmaps', 'cluster-info'),
    events,
  ]),
];

export const roleBindings: readonly RoleBindingDraft[] = [
  binding(system, [`system::${reader}`, reader], user(`system:${manager}`), user(`system:${scheduler}`)),
  binding(system, same(of('bootstrap-signer')), account('bootstrap-signer')),
  binding(system, same(of('cloud-provider')), account('cloud-provider')),
  binding(system, same(of('token-cleaner')), account('token-cleaner')),
  binding(system, same(lockOf(manager)), user(`system:${manager}`), account(manager)),
  binding(system, same(lockOf(scheduler)), user(`system:${scheduler}`), account(scheduler)),
  binding(open, same(of('bootstrap-signer')), account('bootstrap-signer')),
];
