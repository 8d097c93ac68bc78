// Tables: what `kubectl get` prints. Columns come from the kind; kinds without any get Name and Age.
import type { Column, KindDef, KubeObject } from '../../machinery/index.ts';

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

/** What comes before the rows of a table. Without `withColumns` the definitions are left out, as in later events of a watch. */
export function tableHead(
  kind: KindDef,
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
  return `{"kind":"Table","apiVersion":"meta.k8s.io/${options.version}","metadata":${options.listMeta},"columnDefinitions":${columns},"rows":[`;
}

export const tableTail = ']}\n';

/** The JSON of a table of one row. */
export const tableJson = (kind: KindDef, row: string, options: Parameters<typeof tableHead>[1]): string =>
  tableHead(kind, options) + row + tableTail;

/** The row of a stored object. */
export const storedRow = (kind: KindDef, object: KubeObject, options: RowOptions): string =>
  rowJson(kind, outward(kind, object), options);
