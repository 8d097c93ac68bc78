// What kubectl explain says of the built-in shapes, in this project's own words. The descriptions are text: a start of the program pays
// nothing for them but their length; they are taken apart when a document is first asked for.
//
// A line without indent is a shape, an indented one a field of it:
//
//   Name: what it is
//   Name < Other: a shape whose fields, as far as it has the same ones, are described like Other's (GROUP.VERSION.Other across groups)
//     field: what it means
//     field [A|B]: a text that is A or B, or a list of these
//     field =x: a field whose value is x when nothing was given
import {
  admissionregistration,
  authentication,
  authorization,
  certificates,
  flowcontrol,
  rbac,
} from './access.ts';
import { apps, autoscalingV1, autoscalingV2, batch, policy } from './apps-and-batch.ts';
import { core } from './core.ts';
import { coreContainers } from './core-containers.ts';
import { corePods } from './core-pods.ts';
import { coreVolumes } from './core-volumes.ts';
import { apiextensions, apiregistration, coordination, events, resource, scheduling } from './extensions.ts';
import { meta } from './meta.ts';
import { metrics } from './metrics.ts';
import { discovery, networking, node, storage } from './network-and-storage.ts';

export interface FieldDescription {
  readonly text: string;
  /** The only values of a text or of the items of a list; undefined = any. */
  readonly values: readonly string[] | undefined;
  /** What the field has when nothing was given, as text; undefined = no such value. */
  readonly default: string | undefined;
}

export interface ShapeDescription {
  readonly text: string;
  readonly fields: ReadonlyMap<string, FieldDescription>;
}

const sources: readonly (readonly [groupVersion: string, text: string])[] = [
  ['meta.v1', meta],
  ['core.v1', core],
  ['core.v1', coreContainers],
  ['core.v1', corePods],
  ['core.v1', coreVolumes],
  ['apps.v1', apps],
  ['batch.v1', batch],
  ['autoscaling.v1', autoscalingV1],
  ['autoscaling.v2', autoscalingV2],
  ['policy.v1', policy],
  ['networking.v1', networking],
  ['discovery.v1', discovery],
  ['storage.v1', storage],
  ['node.v1', node],
  ['rbac.v1', rbac],
  ['authentication.v1', authentication],
  ['authorization.v1', authorization],
  ['certificates.v1', certificates],
  ['flowcontrol.v1', flowcontrol],
  ['admissionregistration.v1', admissionregistration],
  ['apiextensions.v1', apiextensions],
  ['apiregistration.v1', apiregistration],
  ['coordination.v1', coordination],
  ['events.v1', events],
  ['scheduling.v1', scheduling],
  ['resource.v1', resource],
  ['metrics.v1beta1', metrics],
];

/** Fields that mean the same wherever they are, unless the shape says otherwise. */
const everywhere = new Map(
  Object.entries({
    apiVersion:
      'APIVersion defines the version of the API that the object is written in, such as v1 or apps/v1.',
    kind: 'The kind of the object.',
    metadata: "Standard object's metadata: name, namespace, labels and more.",
    spec: 'What is wanted.',
    status: 'What was observed. Written by the system.',
    conditions: 'State, aspect by aspect.',
    observedGeneration: 'The metadata.generation that this is about.',
    readOnly: 'Whether it can only be read. Left out = false.',
    fsType: 'The file system, such as ext4.',
  }).map(([name, text]) => [name, plain(text)]),
);

const ofConditions = new Map(
  Object.entries({
    type: 'Which aspect this is.',
    status: 'True, False or Unknown.',
    reason: 'Why, in one CamelCase word.',
    message: 'Why, in a sentence.',
    lastTransitionTime: 'When the status last changed.',
    lastUpdateTime: 'When it was last written.',
  }).map(([name, text]) => [name, plain(text)]),
);

function plain(text: string): FieldDescription {
  return { text, values: undefined, default: undefined };
}

interface Entry {
  readonly text: string;
  /** The shape that describes the fields this one does not. */
  readonly like: string | undefined;
  readonly fields: Map<string, FieldDescription>;
}

let read: ReadonlyMap<string, Entry> | undefined;

/** The description of a shape (`core.v1.PodSpec`); undefined for shapes that are not built in. */
export function describeShape(name: string): ShapeDescription | undefined {
  read ??= readAll();
  const entry = read.get(name);
  if (entry === undefined) return undefined;
  const fields = new Map(everywhere);
  if (name.endsWith('Condition')) addAll(fields, ofConditions);
  for (const { fields: own } of lineage(read, entry)) addAll(fields, own);
  return { text: entry.text, fields };
}

/** Every described shape with the fields written down for it alone. For the check that nothing is described that does not exist. */
export function writtenDescriptions(): ReadonlyMap<string, ShapeDescription> {
  read ??= readAll();
  return read;
}

/** The entry and those it is like, the farthest first. */
function lineage(all: ReadonlyMap<string, Entry>, entry: Entry): Entry[] {
  const like = entry.like === undefined ? undefined : all.get(entry.like);
  return like === undefined ? [entry] : [...lineage(all, like), entry];
}

function addAll<K, V>(into: Map<K, V>, from: ReadonlyMap<K, V>): void {
  for (const [key, value] of from) into.set(key, value);
}

const shapeLine = /^([\w$]+)(?: < ([\w.]+))?: (.+)$/;
const fieldLine = /^ {2}([\w$-]+)(?: \[([^\]]*)\])?(?: =(\S*))?: (.+)$/;

function readAll(): Map<string, Entry> {
  const out = new Map<string, Entry>();
  for (const [groupVersion, text] of sources) {
    let entry: Entry | undefined;
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const field = fieldLine.exec(line);
      const shape = field === null ? shapeLine.exec(line) : null;
      if (shape !== null) {
        const [, name = '', like, meaning = ''] = shape;
        const key = `${groupVersion}.${name}`;
        if (out.has(key)) throw new Error(`${key} is described twice`);
        entry = {
          text: meaning,
          like: like === undefined || like.includes('.') ? like : `${groupVersion}.${like}`,
          fields: new Map(),
        };
        out.set(key, entry);
      } else if (field !== null && entry !== undefined) {
        const [, name = '', values, value, meaning = ''] = field;
        entry.fields.set(name, { text: meaning, values: values?.split('|'), default: value });
      } else throw new Error(`${groupVersion}: not a description: ${line}`);
    }
  }
  return out;
}
