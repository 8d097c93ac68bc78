// Who asks, and for what: the words in which every authorizer is asked. Names are those of Kubernetes' authorization API.

export interface UserInfo {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/**
 * One request. `resource` '' says that it is for a path, not for a resource; then `verb` is the HTTP method in lower case.
 * Otherwise `verb` is get, list, watch, create, update, patch, delete or deletecollection.
 */
export interface RequestAttributes {
  readonly user: UserInfo;
  readonly verb: string;
  /** '' = core */
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** '' = cluster scope, or all namespaces */
  readonly namespace: string;
  /** '' on a collection. A list or watch whose field selector is `metadata.name=x` counts as one for the name x. */
  readonly name: string;
  readonly path: string;
}

/** The groups and users that mean something to the server itself. */
export const wellKnown = {
  masters: 'system:masters',
  authenticated: 'system:authenticated',
  unauthenticated: 'system:unauthenticated',
  anonymous: 'system:anonymous',
  nodes: 'system:nodes',
  serviceAccounts: 'system:serviceaccounts',
  nodeUserPrefix: 'system:node:',
  /** What nodes are told of the cluster: a ConfigMap that they may read before any pod of theirs refers to it. */
  clusterSettings: { namespace: 'kube-system', name: 'jotasu-cluster' },
  bootstrappers: 'system:bootstrappers',
  bootstrapUserPrefix: 'system:bootstrap:',
} as const;

/** Whether it is about that one ConfigMap, and nothing below it. The resource is for the caller to see. */
export const isClusterSettings = ({ namespace, name, subresource }: RequestAttributes): boolean =>
  name === wellKnown.clusterSettings.name &&
  namespace === wellKnown.clusterSettings.namespace &&
  subresource === '';
