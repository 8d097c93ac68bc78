// Doors: a custom kind of two versions that say the same in other fields, and the webhook that makes one of the other.
import type { WebhookServer } from '../../../testkit/index.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever it was, the tests look with their own eyes
type Loose = any;

export const group = 'example.com';
const text = { type: 'string' };
const versionOf = (name: string, spec: object, storage: boolean) => ({
  name,
  served: true,
  storage,
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: { type: 'object', properties: { ...spec, note: text } },
        status: { type: 'object', properties: { ready: { type: 'integer' } } },
      },
    },
  },
  subresources: {
    status: {},
    ...(name === 'v1' && {
      scale: { specReplicasPath: '.spec.port', statusReplicasPath: '.status.ready' },
    }),
  },
  ...(name === 'v1' && { selectableFields: [{ jsonPath: '.spec.host' }] }),
  additionalPrinterColumns: [
    { name: 'Where', type: 'string', jsonPath: name === 'v1' ? '.spec.host' : '.spec.address' },
  ],
});
const v1 = { host: { ...text, pattern: '^[a-z]+$' }, port: { type: 'integer', minimum: 1 } };
const beta = { address: text };
/** Of doors of two versions that `webhooks` convert. */
export const definition = (webhooks: WebhookServer, stored: 'v1' | 'v1beta1', more: object = {}) => ({
  metadata: { name: 'doors.example.com' },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural: 'doors', kind: 'Door' },
    conversion: {
      strategy: 'Webhook',
      webhook: {
        clientConfig: { url: `https://127.0.0.1:${webhooks.port}/convert`, caBundle: webhooks.caBundle },
        conversionReviewVersions: ['v1'],
        ...more,
      },
    },
    versions: [versionOf('v1', v1, stored === 'v1'), versionOf('v1beta1', beta, stored === 'v1beta1')],
  },
});
export const doors = (version: string) => `/apis/${group}/${version}/namespaces/default/doors`;
export const door = (version: string, name: string, spec: object, metadata: object = {}) => ({
  apiVersion: `${group}/${version}`,
  kind: 'Door',
  metadata: { name, ...metadata },
  spec,
});

/** v1 says `host` and `port`, v1beta1 `address` for both. */
function converted(object: Loose, to: string): Loose {
  const out = structuredClone(object);
  if (out.apiVersion === to) return out;
  out.apiVersion = to;
  const { spec } = out;
  if (to.endsWith('/v1')) {
    const [host, port] = String(spec.address ?? ':0').split(':');
    out.spec = { host, port: Number(port), note: spec.note };
  } else out.spec = { address: `${spec.host}:${spec.port}`, note: spec.note };
  return out;
}
export const success = (review: Loose): Loose => ({
  kind: 'ConversionReview',
  apiVersion: review.apiVersion,
  response: {
    uid: review.request.uid,
    result: { status: 'Success' },
    convertedObjects: review.request.objects.map((o: Loose) =>
      converted(o, review.request.desiredAPIVersion),
    ),
  },
});
