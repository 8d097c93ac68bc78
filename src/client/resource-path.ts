// The URL of an API call. Pure: what a Target and a query look like on the wire.
import { badRequest } from '../machinery/index.ts';
import type { DeleteOptions, ListQuery, Target, WriteOptions } from './transport.ts';

/** `/api/v1/namespaces/x/pods/y/status`, `/apis/apps/v1/deployments` … without a query. */
export function resourcePath(target: Target): string {
  const { kind, namespace, name, subresource } = target;
  let path = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  if (kind.scope === 'Namespaced') {
    if (namespace !== undefined && namespace !== '') path += `/namespaces/${encodeURIComponent(namespace)}`;
    else if (name !== '')
      throw badRequest('an empty namespace may not be set when a resource name is provided');
  }
  path += `/${kind.plural}`;
  if (name !== '') path += `/${encodeURIComponent(name)}`;
  else if (subresource !== '')
    throw badRequest(`resource name may not be empty for ${kind.plural}/${subresource}`);
  return subresource === '' ? path : `${path}/${subresource}`;
}

/** With the question mark; '' when nothing is set. */
export function queryString(
  parameters: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '') out.append(name, String(value));
  return out.size === 0 ? '' : `?${out}`;
}

export const listParameters = (query: ListQuery) => ({
  labelSelector: query.labelSelector,
  fieldSelector: query.fieldSelector,
  metricLabelSelector: query.metricLabelSelector,
  resourceVersion: query.resourceVersion,
  limit: query.limit,
  continue: query.continue,
});

export const writeParameters = (options: WriteOptions) => ({
  dryRun: options.dryRun === true ? 'All' : undefined,
  fieldManager: options.fieldManager,
});

/** The body of a delete. */
export function deleteBody(options: DeleteOptions): object {
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    gracePeriodSeconds: options.gracePeriodSeconds,
    propagationPolicy: options.propagationPolicy,
    preconditions: options.preconditions,
    dryRun: options.dryRun === true ? ['All'] : undefined,
  };
}
