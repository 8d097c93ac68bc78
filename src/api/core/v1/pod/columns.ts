// What `kubectl get pods` shows. The status column tells what happens to the containers, not just the phase.
import { type Column, translateTimestampSince } from '../../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../../columns.ts';
import type { ContainerState, ContainerStatus, Pod } from '../../../generated/core-v1.ts';
import { getCondition, hasCondition, isReady, isTerminal, isTerminating } from './conditions.ts';
import { isSidecar } from './containers.ts';

/** The facts of one row. */
export interface PodSummary {
  readonly readyContainers: number;
  readonly totalContainers: number;
  /** The status column: a phase, or the reason that says more. */
  readonly reason: string;
  readonly restarts: number;
  /** When the last of these restarts' containers had ended; undefined when not known. */
  readonly lastRestart: string | undefined;
}

/** Counts restarts and keeps the latest end of a container before one. */
class Restarts {
  count = 0;
  last: string | undefined;

  add(status: ContainerStatus): void {
    this.count += status.restartCount ?? 0;
    const finished = status.lastState?.terminated?.finishedAt;
    // RFC 3339 in UTC: texts compare as times do.
    if (typeof finished === 'string' && (this.last === undefined || finished > this.last))
      this.last = finished;
  }
}

const nonzero = (text: string | undefined): text is string => text !== undefined && text !== '';

/** Why a container ended: its reason, or else the signal or the exit code. */
function endReason({ reason, signal, exitCode }: NonNullable<ContainerState['terminated']>): string {
  if (nonzero(reason)) return reason;
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

interface Initialization {
  /** What holds the pod up; undefined when every init container is done. */
  readonly reason: string | undefined;
  readonly readySidecars: number;
  readonly restarts: Restarts;
  readonly sidecarRestarts: Restarts;
}

function summarizeInitialization(pod: Pod): Initialization {
  const specs = pod.spec?.initContainers ?? [];
  const sidecars = new Set(specs.filter(isSidecar).map((container) => container.name));
  const restarts = new Restarts();
  const sidecarRestarts = new Restarts();
  let readySidecars = 0;
  for (const [i, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const sidecar = sidecars.has(status.name);
    restarts.add(status);
    if (sidecar) sidecarRestarts.add(status);
    const { terminated, waiting } = status.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0) continue;
    if (sidecar && status.started === true) {
      if (status.ready) readySidecars++;
      continue;
    }
    let reason = `${i}/${specs.length}`;
    if (terminated !== undefined) reason = endReason(terminated);
    else if (nonzero(waiting?.reason) && waiting.reason !== 'PodInitializing') reason = waiting.reason;
    return { reason: `Init:${reason}`, readySidecars, restarts, sidecarRestarts };
  }
  return { reason: undefined, readySidecars, restarts, sidecarRestarts };
}

export function summarizePod(pod: Pod): PodSummary {
  const status = pod.status ?? {};
  const totalContainers =
    (pod.spec?.containers ?? []).length + (pod.spec?.initContainers ?? []).filter(isSidecar).length;
  let reason = nonzero(status.reason) ? status.reason : (status.phase ?? '');
  if (getCondition(pod, 'PodScheduled')?.reason === 'SchedulingGated') reason = 'SchedulingGated';

  const initialization = summarizeInitialization(pod);
  reason = initialization.reason ?? reason;
  let restarts = initialization.restarts;
  let readyContainers = initialization.readySidecars;
  if (initialization.reason === undefined || hasCondition(pod, 'Initialized')) {
    restarts = initialization.sidecarRestarts;
    let running = false;
    for (const container of [...(status.containerStatuses ?? [])].reverse()) {
      restarts.add(container);
      const { waiting, terminated, running: started } = container.state ?? {};
      if (nonzero(waiting?.reason)) reason = waiting.reason;
      else if (terminated !== undefined) reason = endReason(terminated);
      else if (container.ready && started !== undefined) {
        running = true;
        readyContainers++;
      }
    }
    if (reason === 'Completed' && running) reason = isReady(pod) ? 'Running' : 'NotReady';
  }
  if (isTerminating(pod)) {
    if (status.reason === 'NodeLost') reason = 'Unknown';
    else if (!isTerminal(pod)) reason = 'Terminating';
  }
  return { readyContainers, totalContainers, reason, restarts: restarts.count, lastRestart: restarts.last };
}

const orNone = (text: string | undefined): string => (nonzero(text) ? text : '<none>');

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  return `${gates.filter((gate) => hasCondition(pod, gate.conditionType)).length}/${gates.length}`;
}

export const podColumns: readonly Column<Pod>[] = [
  nameColumn,
  {
    name: 'Ready',
    type: 'string',
    description: 'How many of its containers are ready for traffic.',
    cell(pod) {
      const { readyContainers, totalContainers } = summarizePod(pod);
      return `${readyContainers}/${totalContainers}`;
    },
  },
  {
    name: 'Status',
    type: 'string',
    description: 'What its containers are doing, or what keeps them from running.',
    cell: (pod) => summarizePod(pod).reason,
  },
  {
    name: 'Restarts',
    type: 'string',
    description: 'How often its containers were started again, and when last.',
    cell(pod, { nowMs }) {
      const { restarts, lastRestart } = summarizePod(pod);
      return restarts === 0 || lastRestart === undefined
        ? String(restarts)
        : `${restarts} (${translateTimestampSince(lastRestart, nowMs)} ago)`;
    },
  },
  ageColumn,
  {
    name: 'IP',
    type: 'string',
    priority: 1,
    description: 'Its first address in the pod network.',
    cell: (pod) => orNone(pod.status?.podIPs?.[0]?.ip),
  },
  {
    name: 'Node',
    type: 'string',
    priority: 1,
    description: 'The node it runs on.',
    cell: (pod) => orNone(pod.spec?.nodeName),
  },
  {
    name: 'Nominated Node',
    type: 'string',
    priority: 1,
    description: 'The node on which room is being made for it.',
    cell: (pod) => orNone(pod.status?.nominatedNodeName),
  },
  {
    name: 'Readiness Gates',
    type: 'string',
    priority: 1,
    description: 'How many of the conditions it waits for are true.',
    cell: readinessGates,
  },
];
