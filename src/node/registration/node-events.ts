// What a node says of itself as events when its conditions change, in the kubelet's words. Pure.
import type { coreV1 } from '../../api/index.ts';

export interface NodeEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

const reasons: Readonly<Record<string, { readonly True: string; readonly False: string }>> = {
  MemoryPressure: { True: 'NodeHasInsufficientMemory', False: 'NodeHasSufficientMemory' },
  DiskPressure: { True: 'NodeHasDiskPressure', False: 'NodeHasNoDiskPressure' },
  PIDPressure: { True: 'NodeHasInsufficientPID', False: 'NodeHasSufficientPID' },
  Ready: { True: 'NodeReady', False: 'NodeNotReady' },
};

export const nodeStatusEvent = (nodeName: string, reason: string): NodeEvent => ({
  type: 'Normal',
  reason,
  message: `Node ${nodeName} status is now: ${reason}`,
});

/** From one status to the next; without one before, the node is new. */
export function planNodeEvents(
  nodeName: string,
  before: coreV1.NodeStatus | undefined,
  after: coreV1.NodeStatus,
): NodeEvent[] {
  const events: NodeEvent[] = [];
  const bootId = before?.nodeInfo?.bootID ?? '';
  const now = after.nodeInfo?.bootID ?? '';
  if (bootId !== '' && bootId !== now)
    events.push({
      type: 'Warning',
      reason: 'Rebooted',
      message: `Node ${nodeName} has been rebooted, boot id: ${now}`,
    });
  for (const { type, status } of after.conditions ?? []) {
    const known = reasons[type];
    if (known === undefined || (status !== 'True' && status !== 'False')) continue;
    const was = before?.conditions?.find((one) => one.type === type);
    if (was?.status === status) continue;
    // A node that was never heard of becomes ready by being ready: that is no change.
    if (type === 'Ready' && was === undefined) continue;
    events.push(nodeStatusEvent(nodeName, known[status]));
  }
  return events;
}

/** What the events of a node are about. kubectl looks for them by the node's name in place of its uid. */
export const nodeReference = (nodeName: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  name: nodeName,
  uid: nodeName,
});
