// What an extension server says of its flunders in OpenAPI, as kube-openapi would make it.

const about = { group: 'wardle.example.com', version: 'v1alpha1', kind: 'Flunder' };
const metaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const names = {
  flunder: 'com.example.wardle.v1alpha1.Flunder',
  spec: 'com.example.wardle.v1alpha1.FlunderSpec',
};

const schemas = (prefix: string) => ({
  [metaName]: { description: 'Metadata as others describe it.', type: 'object' },
  [names.flunder]: {
    description: 'A flunder is an example.',
    type: 'object',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { $ref: `${prefix}${metaName}` },
      spec: { $ref: `${prefix}${names.spec}` },
    },
    'x-kubernetes-group-version-kind': [about],
  },
  [names.spec]: {
    type: 'object',
    properties: { reference: { description: 'The name of another flunder.', type: 'string' } },
  },
});

const place = '/apis/wardle.example.com/v1alpha1/namespaces/{namespace}/flunders';

const operation = (action: string, rest: object) => ({
  'x-kubernetes-action': action,
  'x-kubernetes-group-version-kind': about,
  ...rest,
});

export const flunderDocumentV3 = {
  openapi: '3.0.0',
  info: { title: 'Extension', version: 'v1' },
  paths: {
    [`${place}/{name}`]: {
      get: operation('get', {
        responses: {
          200: {
            description: 'OK',
            content: { 'application/json': { schema: { $ref: `#/components/schemas/${names.flunder}` } } },
          },
        },
      }),
      patch: operation('patch', {
        parameters: [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }],
        responses: { 200: { description: 'OK' } },
      }),
    },
  },
  components: { schemas: schemas('#/components/schemas/') },
};

export const flunderDocumentV2 = {
  swagger: '2.0',
  info: { title: 'Extension', version: 'v1' },
  paths: {
    '/apis/': { get: { responses: { 200: { description: 'not ours' } } } },
    [`${place}/{name}`]: {
      get: operation('get', {
        responses: { 200: { description: 'OK', schema: { $ref: `#/definitions/${names.flunder}` } } },
      }),
      parameters: [{ $ref: '#/parameters/pretty' }, { name: 'name', in: 'path', type: 'string' }],
    },
  },
  parameters: { pretty: { name: 'pretty', in: 'query', type: 'string' } },
  definitions: schemas('#/definitions/'),
};
