// What every kind must keep, whoever wrote it. Runs by itself over the list of kinds.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Causes,
  decodeObject,
  type KindDef,
  type KubeObject,
  semanticEqual,
  validateObjectMeta,
} from '../machinery/index.ts';
import { arbitraryObject, fullObject, settleBody } from '../testkit/index.ts';
import { kindFor, kindForPlural, kinds } from './kinds.ts';

type Json = Record<string, unknown>;
const context = { nowMs: Date.UTC(2026, 0, 1) };
const runs = { numRuns: 150 };

/** Always an object of its own: hooks mutate what they get. */
const copy = <T>(value: T): T => structuredClone(value);

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

const served = (kind: KindDef, object: KubeObject): KubeObject =>
  kind.conversion === null ? object : kind.conversion.fromStored(object);

const samples = (kind: KindDef): Json[] => [
  {},
  { metadata: {} },
  { metadata: {}, spec: {}, status: {} },
  fullObject(kind.schema),
  fullObject(kind.schema, 3),
];

describe.each(kinds.map((kind) => [`${kind.apiVersion} ${kind.kind}`, kind] as const))('%s', (_, kind) => {
  const random = arbitraryObject(kind.schema, { fields: 5 });
  const check = (run: (body: Json) => void): void => {
    for (const body of samples(kind)) run(copy(body));
    fc.assert(
      fc.property(random, (body) => run(body)),
      runs,
    );
  };

  it('decodes and defaults to the same again', () => {
    check((body) => {
      const once = settleBody(kind, body);
      const unknown: string[] = [];
      const twice = settleBody(kind, copy(served(kind, once)) as unknown as Json, unknown);
      expect(twice).toEqual(once);
      expect(unknown).toEqual([]);
      kind.defaults?.(twice);
      expect(twice).toEqual(once);
    });
  });

  it('refuses an empty object, with causes', () => {
    const object = settleBody(kind, {});
    kind.prepareCreate?.(object, context);
    const causes = new Causes();
    validateObjectMeta(
      object.metadata,
      { namespaced: kind.scope === 'Namespaced', nameRule: kind.nameRule },
      causes,
    );
    kind.validate?.(object, undefined, causes);
    expect(causes.list.map((c) => c.field)).toContain('metadata.name');
    expect(causes.toError(kind.group, kind.kind, '')?.code).toBe(422);
  });

  it('validates and warns about anything without throwing or changing it', () => {
    check((body) => {
      const object = settleBody(kind, body);
      kind.prepareCreate?.(object, context);
      freeze(object);
      const causes = new Causes();
      kind.validate?.(object, undefined, causes);
      kind.validate?.(object, object, causes);
      kind.validateStatus?.(object, object, causes);
      kind.warn?.(object, undefined);
      kind.warn?.(object, object);
      for (const cause of causes.list) expect(cause.message).not.toBe('');
    });
  });

  it('prepares an update without touching the old object or the status', () => {
    fc.assert(
      fc.property(random, random, (body, oldBody) => {
        const old = freeze(settleBody(kind, oldBody)) as KubeObject & { status?: unknown };
        const object = settleBody(kind, body) as KubeObject & { status?: unknown };
        if (kind.subresources.status) {
          if (old.status === undefined) delete object.status;
          else object.status = old.status;
        }
        kind.prepareUpdate?.(object, old, context);
        if (kind.subresources.status) expect(semanticEqual(object.status, old.status)).toBe(true);
        const causes = new Causes();
        kind.validate?.(freeze(object), old, causes);
        kind.warn?.(object, old);
      }),
      runs,
    );
  });

  it('shows anything in a table', () => {
    const cells = (object: KubeObject): void => {
      for (const column of kind.columns) {
        const cell = column.cell(object, context);
        expect(['string', 'number', 'boolean']).toContain(cell === null ? 'string' : typeof cell);
      }
    };
    // as little as a caller may hold
    cells(freeze({ apiVersion: kind.apiVersion, kind: kind.kind, metadata: {} }) as KubeObject);
    check((body) => cells(freeze(served(kind, settleBody(kind, body)))));
    expect(kind.columns.filter((c) => c.format === 'name').map((c) => c.name)).toEqual(['Name']);
    for (const { description } of kind.columns) expect(description ?? '').not.toBe('');
  });

  it('reads its selectable fields and indexes from anything', () => {
    check((body) => {
      const object = freeze(settleBody(kind, body));
      for (const read of Object.values(kind.selectableFields)) expect(typeof read(object)).toBe('string');
      for (const keys of Object.values(kind.indexes)) expect(Array.isArray(keys(object))).toBe(true);
    });
  });

  it('writes only fields of its shape', () => {
    const owner = kinds.find((k) => k.storagePrefix === kind.storagePrefix && k.conversion === null)!;
    check((body) => {
      const object = settleBody(kind, body);
      kind.prepareCreate?.(object, context);
      const unknown: string[] = [];
      expect(decodeObject(owner.schema, copy(object), unknown)).toEqual(object);
      expect(unknown).toEqual([]);
    });
  });

  it('names scale paths and generation fields that exist', () => {
    const follow = (path: string): void => {
      let schema: KindDef['schema'] | undefined = kind.schema;
      for (const name of path.split('.')) {
        const field: ReturnType<KindDef['schema']['fields']['get']> = schema?.fields.get(name);
        expect([path, field?.name]).toEqual([path, name]);
        schema = field?.schema.type === 'object' ? field.schema : undefined;
      }
    };
    for (const field of kind.generationFields) follow(field);
    const { scale } = kind.subresources;
    if (scale !== undefined) [scale.replicas, scale.statusReplicas, scale.selector].forEach(follow);
    if (kind.subresources.status) follow('status');
  });
});

describe('the list of kinds', () => {
  const unique = (names: readonly string[]): void => expect(new Set(names).size).toBe(names.length);

  it('has every name once', () => {
    unique(kinds.map((k) => `${k.apiVersion} ${k.kind}`));
    unique(kinds.map((k) => `${k.apiVersion} ${k.plural}`));
    unique(kinds.map((k) => `${k.apiVersion} ${k.singular}`));
    // a resource of another group may have the same short name only with the same plural
    const owners = new Map<string, string>();
    for (const kind of kinds)
      for (const name of kind.shortNames) {
        expect(owners.get(name) ?? kind.plural).toBe(kind.plural);
        owners.set(name, kind.plural);
      }
  });

  it('shares a storage prefix only between versions of the same objects', () => {
    unique(kinds.filter((k) => k.conversion === null).map((k) => k.storagePrefix));
    for (const kind of kinds.filter((k) => k.conversion !== null))
      expect(kinds.some((k) => k.conversion === null && k.storagePrefix === kind.storagePrefix)).toBe(true);
    for (const kind of kinds) expect(kind.storagePrefix).toMatch(/^\/[^/]+\/[^/]+\/$/);
  });

  it('finds each', () => {
    for (const kind of kinds) {
      expect(kindFor(kind.apiVersion, kind.kind)).toBe(kind);
      expect(kindForPlural(kind.apiVersion, kind.plural)).toBe(kind);
    }
    expect(kindFor('v1', 'Nothing')).toBeUndefined();
  });
});
