import { expect, it } from 'vitest';
import { parseRoute } from './route.ts';

const plain = { namespace: undefined, name: '', subresource: '', rest: '', legacyWatch: false };
const core = { ...plain, group: '', version: 'v1' };
const apps = { ...plain, group: 'apps', version: 'v1', resource: 'deployments' };

it.each([
  ['/api/v1/pods', { ...core, resource: 'pods' }],
  ['/api/v1/nodes/n', { ...core, resource: 'nodes', name: 'n' }],
  ['/api/v1/namespaces', { ...core, resource: 'namespaces' }],
  ['/api/v1/namespaces/a', { ...core, resource: 'namespaces', name: 'a' }],
  ['/api/v1/namespaces/a/status', { ...core, resource: 'namespaces', name: 'a', subresource: 'status' }],
  ['/api/v1/namespaces/a/finalize', { ...core, resource: 'namespaces', name: 'a', subresource: 'finalize' }],
  ['/api/v1/namespaces/a/pods', { ...core, resource: 'pods', namespace: 'a' }],
  [
    '/api/v1/namespaces/a/pods/p/log',
    { ...core, resource: 'pods', namespace: 'a', name: 'p', subresource: 'log' },
  ],
  [
    '/api/v1/namespaces/a/services/s/proxy/x/y',
    { ...core, resource: 'services', namespace: 'a', name: 's', subresource: 'proxy', rest: 'x/y' },
  ],
  ['/apis/apps/v1/deployments', apps],
  ['/apis/apps/v1/namespaces/a/deployments/d', { ...apps, namespace: 'a', name: 'd' }],
  [
    '/apis/apps/v1/watch/namespaces/a/deployments/d',
    { ...apps, namespace: 'a', name: 'd', legacyWatch: true },
  ],
  ['/api/v1/watch/pods', { ...core, resource: 'pods', legacyWatch: true }],
  ['/api/v1/nodes/a%20b', { ...core, resource: 'nodes', name: 'a b' }],
  ['/api/v1/nodes/%zz', { ...core, resource: 'nodes', name: '%zz' }],
  ['/', undefined],
  ['/api', undefined],
  ['/api/v1', undefined],
  ['/api/v1/', undefined],
  ['/apis/apps/v1', undefined],
  ['/version', undefined],
  ['/api/v1/namespaces//pods', { ...core, resource: 'pods', namespace: '' }],
])('%s', (path, route) => {
  expect(parseRoute(path)).toEqual(route);
});
