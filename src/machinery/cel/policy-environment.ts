// The variables of policies, and their types. Expressions run with variables of any type, since what they are given is JSON; the checker
// may be told more. Names and fields of `request` and `namespaceObject` are Kubernetes' own.
import type { Environment } from '@marcbachmann/cel-js';
import { addAuthorizer } from './authorizer-library.ts';
import { DeclaredTypes, type ObjectTypes } from './declared-types.ts';
import { newEnvironment } from './environment.ts';

const timestamp = 'google.protobuf.Timestamp';
const labels = 'map<string, string>';
const texts = 'list<string>';

function requestType(types: DeclaredTypes): string {
  const kind = types.declare('kubernetes.GroupVersionKind', {
    group: 'string',
    version: 'string',
    kind: 'string',
  });
  const resource = types.declare('kubernetes.GroupVersionResource', {
    group: 'string',
    version: 'string',
    resource: 'string',
  });
  const userInfo = types.declare('kubernetes.UserInfo', {
    username: 'string',
    uid: 'string',
    groups: texts,
    extra: `map<string, ${texts}>`,
  });
  return types.declare('kubernetes.AdmissionRequest', {
    kind,
    resource,
    subResource: 'string',
    requestKind: kind,
    requestResource: resource,
    requestSubResource: 'string',
    name: 'string',
    namespace: 'string',
    operation: 'string',
    userInfo,
    dryRun: 'bool',
    options: 'dyn',
  });
}

function namespaceType(types: DeclaredTypes): string {
  const metadata = types.declare('kubernetes.NamespaceMetadata', {
    name: 'string',
    generateName: 'string',
    namespace: 'string',
    labels,
    annotations: labels,
    UID: 'string',
    uid: 'string',
    creationTimestamp: timestamp,
    deletionGracePeriodSeconds: 'int',
    deletionTimestamp: timestamp,
    generation: 'int',
    resourceVersion: 'string',
    finalizers: texts,
  });
  const condition = types.declare('kubernetes.NamespaceCondition', {
    status: 'string',
    type: 'string',
    lastTransitionTime: timestamp,
    message: 'string',
    reason: 'string',
  });
  return types.declare('kubernetes.Namespace', {
    metadata,
    spec: types.declare('kubernetes.NamespaceSpec', { finalizers: texts }),
    status: types.declare('kubernetes.NamespaceStatus', {
      conditions: `list<${condition}>`,
      phase: 'string',
    }),
  });
}

export interface PolicyVariables {
  readonly params: boolean;
  readonly authorizer: boolean;
}

/** For evaluating: everything is of any type. */
export function untypedPolicyEnvironment({ params, authorizer }: PolicyVariables): Environment {
  const environment = newEnvironment();
  for (const name of ['object', 'oldObject', 'request', 'namespaceObject'])
    environment.registerVariable(name, 'dyn');
  if (params) environment.registerVariable('params', 'dyn');
  return authorizer ? addAuthorizer(environment) : environment;
}

/** For checking alone. */
export function typedPolicyEnvironment(
  { params, authorizer }: PolicyVariables,
  declared: ObjectTypes,
): Environment {
  const environment = newEnvironment();
  const types = new DeclaredTypes(environment);
  const object = declared.object?.(types, 'Object') ?? 'dyn';
  environment.registerVariable('object', object);
  environment.registerVariable('oldObject', object);
  environment.registerVariable('request', requestType(types));
  environment.registerVariable('namespaceObject', namespaceType(types));
  if (params) environment.registerVariable('params', declared.params?.(types, 'Params') ?? 'dyn');
  return authorizer ? addAuthorizer(environment) : environment;
}
