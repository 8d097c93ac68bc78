// Tables: what `kubectl get` prints. Columns come from the kind; kinds without any get Name and Age.
import type { Column, KindDef, KubeObject } from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import { objectOf } from '../registry/objects.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

const plainColumns: readonly Column<KubeObject>[] = [
  { name: 'Name', type: 'string', format: 'name', cell: (o) => o.metadata.name },
  { name: 'Created At', type: 'date', cell: (o) => o.metadata.creationTimestamp },
];

function columnsOf(kind: KindDef): readonly Column<KubeObject>[] {
  return kind.columns.length === 0 ? plainColumns : kind.columns;
}

const outward = (kind: KindDef, object: KubeObject): KubeObject =>
  kind.conversion === null ? object : kind.conversion.fromStored(object);

export interface RowOptions {
  readonly include: IncludeObject;
  readonly nowMs: number;
}

/** The JSON of one row. `shown` is in the version that was asked for. */
export function rowJson(kind: KindDef, shown: KubeObject, { include, nowMs }: RowOptions): string {
  const cells = columnsOf(kind).map((column) => column.cell(shown, { nowMs }));
  const body =
    include === 'None'
      ? ''
      : `,"object":${JSON.stringify(include === 'Object' ? shown : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: shown.metadata })}`;
  return `{"cells":${JSON.stringify(cells)}${body}}`;
}

/** The JSON of a whole table. Without `withColumns` the definitions are left out, as in later events of a watch. */
export function tableJson(
  kind: KindDef,
  rows: readonly string[],
  options: { version: string; listMeta: string; withColumns: boolean },
): string {
  const columns = options.withColumns
    ? JSON.stringify(
        columnsOf(kind).map((c) => ({
          name: c.name,
          type: c.type,
          format: c.format ?? '',
          description: c.description ?? '',
          priority: c.priority ?? 0,
        })),
      )
    : 'null';
  return `{"kind":"Table","apiVersion":"meta.k8s.io/${options.version}","metadata":${options.listMeta},"columnDefinitions":${columns},"rows":[${rows.join(',')}]}\n`;
}

export function rowsOf(kind: KindDef, entries: readonly Entry[], options: RowOptions): string[] {
  return entries.map((entry) => rowJson(kind, outward(kind, objectOf(entry)), options));
}
