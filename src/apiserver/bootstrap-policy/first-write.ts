// The first write of an object of ours into a new cluster, past the steps of the registry. A hundred objects take them a tenth of a second on
// a server that has just begun, and none of the steps could say anything: the objects are constants, tested against the registry's own.
import { formatTime, type KindDef, type KubeObject } from '../../machinery/index.ts';
import { commit, type RegistryCore } from '../registry/core.ts';
import { keyFor } from '../registry/objects.ts';

type Part = Pick<RegistryCore, 'store' | 'random' | 'clock'>;
type Loose = Record<string, unknown>;
type Fields = { [name: string]: Fields };

/** What the server's own writes are known by, unless they say otherwise. */
const manager = 'jotasu';

const mapFields = (map: object): Fields => ({
  '.': {},
  ...Object.fromEntries(Object.keys(map).map((key) => [`f:${key}`, {}])),
});

/** Rules, subjects and references are owned as a whole; labels, annotations and what gathers rules by their parts. */
function fieldsOf({ metadata, ...content }: { metadata: object } & Loose): Fields {
  const { annotations, labels } = metadata as { annotations: object; labels: object };
  const fields: Fields = {
    'f:metadata': { 'f:annotations': mapFields(annotations), 'f:labels': mapFields(labels) },
  };
  for (const name of Object.keys(content))
    fields[`f:${name}`] = name === 'aggregationRule' ? { '.': {}, 'f:clusterRoleSelectors': {} } : {};
  return fields;
}

/** False = somebody made it at this moment. */
export async function firstWrite(
  core: Part,
  kind: KindDef,
  draft: { readonly metadata: { readonly name?: string; readonly namespace?: string | undefined } },
): Promise<boolean> {
  const { metadata, ...content } = draft;
  const now = formatTime(core.clock.nowMs());
  const { apiVersion } = kind;
  const owner = {
    manager,
    operation: 'Update',
    apiVersion,
    time: now,
    fieldsType: 'FieldsV1',
    fieldsV1: fieldsOf(draft as { metadata: object }),
  };
  const object = {
    kind: kind.kind,
    apiVersion,
    metadata: { ...metadata, uid: core.random.uuid(), creationTimestamp: now, managedFields: [owner] },
    ...content,
  } as unknown as KubeObject;
  const key = keyFor(kind, metadata.namespace, metadata.name ?? '');
  return (await commit(core, { key, object, expect: 0 })).ok;
}
