// Which protobuf message belongs to which shape, apiVersion and kind. The numbers are text until a message is first used, so
// that a start does not pay for them.
import { type Message, Messages, type ObjectSchema } from '../machinery/index.ts';
import { protobufFields } from './generated/protobuf-fields.ts';
import { shapes } from './generated/shapes.ts';
import { shape } from './shape.ts';

/** How shapes name the API groups. */
const groups: Readonly<Record<string, string>> = {
  '': 'core',
  apps: 'apps',
  batch: 'batch',
  autoscaling: 'autoscaling',
  policy: 'policy',
  'meta.k8s.io': 'meta',
  'networking.k8s.io': 'networking',
  'rbac.authorization.k8s.io': 'rbac',
  'storage.k8s.io': 'storage',
  'scheduling.k8s.io': 'scheduling',
  'coordination.k8s.io': 'coordination',
  'discovery.k8s.io': 'discovery',
  'events.k8s.io': 'events',
  'node.k8s.io': 'node',
  'certificates.k8s.io': 'certificates',
  'admissionregistration.k8s.io': 'admissionregistration',
  'apiextensions.k8s.io': 'apiextensions',
  'apiregistration.k8s.io': 'apiregistration',
  'authentication.k8s.io': 'authentication',
  'authorization.k8s.io': 'authorization',
  'flowcontrol.apiserver.k8s.io': 'flowcontrol',
  'resource.k8s.io': 'resource',
};

/** Known in every group: the bodies that go with any request. */
const everywhere = new Set(['DeleteOptions', 'Status']);

/** Bodies that are taken under an older name too, which has the same fields. */
const older: Readonly<Record<string, string>> = { 'policy.v1beta1.Eviction': 'policy.v1.Eviction' };

function shapeOf(apiVersion: string, kind: string): ObjectSchema | undefined {
  const slash = apiVersion.indexOf('/');
  const group = groups[slash < 0 ? '' : apiVersion.slice(0, slash)];
  const said = everywhere.has(kind) ? `meta.v1.${kind}` : `${group}.${apiVersion.slice(slash + 1)}.${kind}`;
  const name = Object.hasOwn(older, said) ? older[said]! : said;
  return Object.hasOwn(shapes, name) ? shape(name) : undefined;
}

const messages = new Messages({
  notation: (name) => (Object.hasOwn(protobufFields, name) ? protobufFields[name] : undefined),
  shapeOf,
});

/** The message of a built-in shape; undefined for custom resources, which have none. */
export function protobufMessage(schema: ObjectSchema): Message | undefined {
  return Object.hasOwn(shapes, schema.name) && shape(schema.name) === schema
    ? messages.of(schema)
    : undefined;
}

/** The message that an envelope of this apiVersion and kind holds. */
export function protobufMessageFor(apiVersion: string, kind: string): Message | undefined {
  const schema = shapeOf(apiVersion, kind);
  return schema === undefined ? undefined : messages.of(schema);
}
