// A definition of a kind with something of everything, and its resources: what tests of custom resources begin with.
import { settle } from '../../../base/index.ts';
import type { ApiFixture } from '../../../testkit/index.ts';

export const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const tabs = '/apis/stable.example.com/v1/namespaces/default/crontabs';

export const spec = {
  type: 'object',
  required: ['when'],
  properties: {
    when: { type: 'string', pattern: '^\\d+$' },
    replicas: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
    mode: { type: 'string', enum: ['A', 'B'] },
    port: { 'x-kubernetes-int-or-string': true },
    note: { type: 'string', nullable: true },
    name: { type: 'string' },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    ports: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, number: { type: 'integer', default: 80 } },
      },
    },
    tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
  },
};
export const schema = {
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec,
      status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
    },
  },
};
export const version = {
  name: 'v1',
  served: true,
  storage: true,
  schema,
  subresources: {
    status: {},
    scale: {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.status.selector',
    },
  },
  additionalPrinterColumns: [{ name: 'When', type: 'string', jsonPath: '.spec.when' }],
};
export const definition = (changed: object = {}, versions: object[] = [version]) => ({
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'] },
    versions,
    ...changed,
  },
});
/** Creates a definition; resolves when it has been looked at. */
export const define = async (f: ApiFixture, body: object) => {
  const told = await f.ask('POST', definitions, { body });
  await settle();
  return told;
};
export const tab = (name: string, more: object = {}) => ({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name },
  spec: { when: '5', ...more },
});
/** `FIELD: MESSAGE` of each cause of a refusal. */
export const causes = (json: { details: { causes: { field: string; message: string }[] } }) =>
  json.details.causes.map(({ field, message }) => `${field}: ${message}`);
