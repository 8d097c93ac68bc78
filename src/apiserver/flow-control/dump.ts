// What waits where, as tables for people: kube-apiserver's /debug/api_priority_and_fairness/. Pure.
import type { PriorityLevel, Visit } from './priority-level.ts';

export type DumpName = 'dump_priority_levels' | 'dump_queues' | 'dump_requests';

export interface DumpOptions {
  readonly levels: readonly PriorityLevel[];
  /** A monotonic time and the wall-clock time of the same moment. */
  readonly monotonicMs: number;
  readonly nowMs: number;
  /** `?includeRequestDetails=` with any value: who asks and for what, too. */
  readonly details: boolean;
}

/** undefined = there is no such table. */
export function dump(name: string, options: DumpOptions): string | undefined {
  switch (name) {
    case 'dump_priority_levels':
      return table([levelHeads, ...options.levels.map(levelRow)]);
    case 'dump_queues':
      return table([queueHeads, ...options.levels.flatMap(queueRows)]);
    case 'dump_requests': {
      const heads = options.details ? [...requestHeads, ...detailHeads] : requestHeads;
      return table([heads, ...options.levels.flatMap((level) => requestRows(level, options))]);
    }
    default:
      return undefined;
  }
}

type Row = readonly (string | number | boolean)[];

const levelHeads: Row = [
  'PriorityLevelName',
  'ActiveQueues',
  'IsIdle',
  'IsQuiescing',
  'WaitingRequests',
  'ExecutingRequests',
  'DispatchedRequests',
  'RejectedRequests',
  'TimedoutRequests',
  'CancelledRequests',
];

function levelRow({ name, set, isQuiescing, totals }: PriorityLevel): Row {
  const active = set.busyQueues.filter(({ waiting }) => waiting.size > 0).length;
  const { dispatched, rejected, timedOut, cancelled } = totals;
  const now = [name, active, set.isIdle, isQuiescing, set.waiting, set.executing];
  return [...now, dispatched, rejected, timedOut, cancelled];
}

const queueHeads: Row = [
  'PriorityLevelName',
  'Index',
  'PendingRequests',
  'ExecutingRequests',
  'SeatsInUse',
  'NextDispatchR',
  'InitialSeatsSum',
  'MaxSeatsSum',
  'TotalWorkSum',
];

/** Of the queues that hold something: the others exist by name only. */
const queueRows = ({ name, set }: PriorityLevel): Row[] =>
  set.busyQueues.map((queue) => [
    name,
    queue.index,
    queue.waiting.size,
    queue.executing,
    queue.seatsInUse,
    seatSeconds(queue.nextStart),
    queue.seatsWaiting,
    queue.seatsWaiting,
    seatSeconds(queue.seatsWaiting * 0.003),
  ]);

const seatSeconds = (value: number): string => `${value.toFixed(8)}ss`;

const requestHeads: Row = [
  'PriorityLevelName',
  'FlowSchemaName',
  'QueueIndex',
  'RequestIndexInQueue',
  'FlowDistingsher',
  'ArriveTime',
  'InitialSeats',
  'FinalSeats',
  'AdditionalLatency',
];
const detailHeads: Row = [
  'UserName',
  'Verb',
  'APIPath',
  'Namespace',
  'Name',
  'APIVersion',
  'Resource',
  'SubResource',
];

const requestRows = (level: PriorityLevel, options: DumpOptions): Row[] =>
  level.set.busyQueues.flatMap(({ index, waiting }) =>
    [...waiting].map((occupant, at) => {
      const { flow, attributes: a, seats, arrivedMs } = occupant as Visit;
      const arrived = new Date(options.nowMs - (options.monotonicMs - arrivedMs)).toISOString();
      const by = flow === null || a === null ? '' : flow.distinguisher(a);
      const row: Row = [level.name, flow?.name ?? '', index, at, by, arrived, seats, 0, '0s'];
      if (!options.details || a === null) return row;
      const version = a.group === '' ? a.version : `${a.group}/${a.version}`;
      return [...row, a.user.name, a.verb, a.path, a.namespace, a.name, version, a.resource, a.subresource];
    }),
  );

/** Cells with commas, aligned. */
function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => row.map((cell, i) => (i < row.length - 1 ? `${cell},` : String(cell))));
  const widths = (cells[0] ?? []).map((_, i) =>
    Math.max(8, ...cells.map((row) => (row[i]?.length ?? 0) + 1)),
  );
  return cells
    .map((row) => `${row.map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i]!) : cell)).join('')}\n`)
    .join('');
}
