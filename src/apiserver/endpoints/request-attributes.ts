// What authorizers are asked about a request: from user, path, query and route to the words of Kubernetes' authorization API. Pure.
// HOT: bench/api.ts.
import type { Verb } from '../../machinery/index.ts';
import type { RequestAttributes, UserInfo } from '../auth/attributes.ts';
import type { Query } from './query.ts';
import type { ResourceRoute } from './route.ts';

/** Of a request for a path that is no resource. */
export const pathAttributes = (user: UserInfo, method: string, path: string): RequestAttributes => ({
  user,
  // Who may read may ask how much there is to read.
  verb: method === 'HEAD' ? 'get' : method.toLowerCase(),
  group: '',
  version: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  path,
});

const selectedName = /(?:^|,)metadata\.name==?([^,]+)/;

/** `verb` '' = the method means nothing for resources: only who may do everything may ask so. */
export function resourceAttributes(
  user: UserInfo,
  verb: Verb | '',
  { path, query, route }: { path: string; query: Query; route: ResourceRoute },
): RequestAttributes {
  const isNamespace = route.group === '' && route.resource === 'namespaces';
  // Only reads are narrowed by it: what a create or a deletion is about does not follow from a selector.
  const narrows = route.name === '' && (verb === 'list' || verb === 'watch');
  const fields = narrows ? query.get('fieldSelector') : null;
  return {
    user,
    verb,
    group: route.group,
    version: route.version,
    resource: route.resource,
    subresource: route.subresource,
    namespace: isNamespace ? route.name : (route.namespace ?? ''),
    name: (fields === null ? undefined : selectedName.exec(fields)?.[1]) ?? route.name,
    path,
  };
}
