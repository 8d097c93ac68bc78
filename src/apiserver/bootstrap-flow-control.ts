// The flow schemas and priority levels of every cluster, as Kubernetes 1.35 has them. The mandatory ones are always put back; the
// suggested ones follow this table until their annotation says that they are the user's own.
import { FlowSchema, PriorityLevelConfiguration } from '../api/index.ts';
import type { Client } from '../client/index.ts';
import { type Draft, isAlreadyExists, isConflict, type KindDef, semanticEqual } from '../machinery/index.ts';

export type Level = Draft<PriorityLevelConfiguration>;
export type Schema = Draft<FlowSchema>;
type Rules = NonNullable<NonNullable<FlowSchema['spec']>['rules']>[number];
type Subject = Rules['subjects'][number];
type ResourceRule = NonNullable<Rules['resourceRules']>[number];

const followsTable = 'apf.kubernetes.io/autoupdate-spec';
const metadata = (name: string) => ({ name, annotations: { [followsTable]: 'true' } });

function limited(name: string, shares: number, lendable: number, queues: readonly [number, number]): Level {
  const [count, handSize] = queues;
  return {
    metadata: metadata(name),
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: shares,
        lendablePercent: lendable,
        limitResponse:
          count === 0
            ? { type: 'Reject' }
            : { type: 'Queue', queuing: { queues: count, handSize, queueLengthLimit: 50 } },
      },
    },
  };
}

/** Name, shares, percentage that is lent, queues and how many of them a flow may use. */
export const priorityLevels: readonly Level[] = [
  {
    metadata: metadata('exempt'),
    spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
  },
  limited('catch-all', 5, 0, [0, 0]),
  limited('system', 30, 33, [64, 6]),
  limited('node-high', 40, 25, [64, 6]),
  limited('leader-election', 10, 0, [16, 4]),
  limited('workload-high', 40, 50, [128, 6]),
  limited('workload-low', 100, 90, [128, 6]),
  limited('global-default', 20, 50, [128, 6]),
];

const group = (name: string): Subject => ({ kind: 'Group', group: { name } });
const user = (name: string): Subject => ({ kind: 'User', user: { name } });
const serviceAccount = (name: string): Subject => ({
  kind: 'ServiceAccount',
  serviceAccount: { name, namespace: 'kube-system' },
});
const everybody = [group('system:unauthenticated'), group('system:authenticated')];
const everything = {
  resourceRules: [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true },
  ] as ResourceRule[],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};
const leases = (verbs: string[]): ResourceRule => ({
  verbs,
  apiGroups: ['coordination.k8s.io'],
  resources: ['leases'],
  namespaces: ['*'],
});
const elect = ['get', 'create', 'update'];

function schema(
  [name, level, precedence]: readonly [string, string, number],
  by: '' | 'ByUser' | 'ByNamespace',
  rules: Rules,
): Schema {
  return {
    metadata: metadata(name),
    spec: {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence: precedence,
      ...(by !== '' && { distinguisherMethod: { type: by } }),
      rules: [rules],
    },
  };
}

export const flowSchemas: readonly Schema[] = [
  schema(['exempt', 'exempt', 1], '', { subjects: [group('system:masters')], ...everything }),
  schema(['probes', 'exempt', 2], '', {
    subjects: everybody,
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }],
  }),
  schema(['system-leader-election', 'leader-election', 100], 'ByUser', {
    subjects: [user('system:kube-controller-manager'), user('system:kube-scheduler'), serviceAccount('*')],
    resourceRules: [leases(elect)],
  }),
  schema(['endpoint-controller', 'workload-high', 150], 'ByUser', {
    subjects: [
      user('system:kube-controller-manager'),
      serviceAccount('endpoint-controller'),
      serviceAccount('endpointslicemirroring-controller'),
    ],
    resourceRules: [{ verbs: elect, apiGroups: [''], resources: ['endpoints'], namespaces: ['*'] }],
  }),
  schema(['workload-leader-election', 'leader-election', 200], 'ByUser', {
    subjects: [serviceAccount('*')],
    resourceRules: [leases(elect)],
  }),
  schema(['system-node-high', 'node-high', 400], 'ByUser', {
    subjects: [group('system:nodes')],
    resourceRules: [
      {
        verbs: ['*'],
        apiGroups: [''],
        resources: ['nodes', 'nodes/status'],
        namespaces: ['*'],
        clusterScope: true,
      },
      leases(['*']),
    ],
  }),
  schema(['system-nodes', 'system', 500], 'ByUser', { subjects: [group('system:nodes')], ...everything }),
  schema(['kube-controller-manager', 'workload-high', 800], 'ByNamespace', {
    subjects: [user('system:kube-controller-manager')],
    ...everything,
  }),
  schema(['kube-scheduler', 'workload-high', 800], 'ByNamespace', {
    subjects: [user('system:kube-scheduler')],
    ...everything,
  }),
  schema(['kube-system-service-accounts', 'workload-high', 900], 'ByNamespace', {
    subjects: [serviceAccount('*')],
    ...everything,
  }),
  schema(['service-accounts', 'workload-low', 9000], 'ByUser', {
    subjects: [group('system:serviceaccounts')],
    ...everything,
  }),
  schema(['global-default', 'global-default', 9900], 'ByUser', { subjects: everybody, ...everything }),
  schema(['catch-all', 'catch-all', 10000], 'ByUser', { subjects: everybody, ...everything }),
];

const mandatory = new Set(['exempt', 'catch-all']);

/** All at once: the store writes them together. */
export async function ensureFlowControl(client: Client): Promise<void> {
  await Promise.all(priorityLevels.map((level) => ensure(client, PriorityLevelConfiguration, level)));
  await Promise.all(flowSchemas.map((wanted) => ensure(client, FlowSchema, wanted)));
  await Promise.all(flowSchemas.map(({ metadata }) => reportLevel(client, metadata.name as string)));
}

/** What kubectl shows as MISSINGPL. */
async function reportLevel(client: Client, name: string): Promise<void> {
  const current = await client(FlowSchema).get(name);
  if (current.status?.conditions?.some(({ type }) => type === 'Dangling')) return;
  const level = JSON.stringify(current.spec?.priorityLevelConfiguration.name);
  const found = {
    type: 'Dangling',
    status: 'False',
    reason: 'Found',
    message: `This FlowSchema references the PriorityLevelConfiguration object named ${level} and it exists`,
    lastTransitionTime: current.metadata.creationTimestamp,
  };
  await ignoringConflict(client(FlowSchema).updateStatus({ ...current, status: { conditions: [found] } }));
}

/** Another server does the same at this moment. */
const ignoringConflict = (write: Promise<unknown>): Promise<void> =>
  write.then(
    () => {},
    (error: unknown) => {
      if (!isConflict(error)) throw error;
    },
  );

async function ensure<T extends PriorityLevelConfiguration | FlowSchema>(
  client: Client,
  kind: KindDef<T>,
  wanted: Draft<T>,
): Promise<void> {
  const { metadata } = wanted as { metadata: { name: string } };
  try {
    await client(kind).create(structuredClone(wanted));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const current = await client(kind).get(metadata.name);
    const follows = current.metadata.annotations?.[followsTable] === 'true';
    if (!follows && !mandatory.has(metadata.name)) return;
    const next = { ...current, spec: structuredClone((wanted as T).spec) };
    kind.defaults?.(next);
    if (semanticEqual(next.spec, current.spec)) return;
    await ignoringConflict(client(kind).update(next));
  }
}
