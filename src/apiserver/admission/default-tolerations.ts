// DefaultTolerationSeconds: a pod bears a node that is not ready or unreachable for a while, unless it says otherwise.
import type { Pod } from '../../api/index.ts';
import type { AdmissionPlugin } from './admission.ts';

const notReady = 'node.kubernetes.io/not-ready';
const unreachable = 'node.kubernetes.io/unreachable';

export function defaultTolerations(seconds: { notReady: number; unreachable: number }): AdmissionPlugin {
  return {
    name: 'DefaultTolerationSeconds',
    mutate({ operation, kind, subresource, object }) {
      if (operation === 'delete' || kind.kind !== 'Pod' || kind.group !== '' || subresource !== '') return;
      const { spec } = object as Pod;
      const tolerations = spec.tolerations ?? [];
      const missing = (key: string) =>
        !tolerations.some(
          (t) =>
            (t.key === key || t.key === undefined || t.key === '') &&
            (t.effect === 'NoExecute' || t.effect === undefined || t.effect === ''),
        );
      const added = [];
      if (missing(notReady))
        added.push({
          key: notReady,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: seconds.notReady,
        });
      if (missing(unreachable))
        added.push({
          key: unreachable,
          operator: 'Exists',
          effect: 'NoExecute',
          tolerationSeconds: seconds.unreachable,
        });
      if (added.length > 0) spec.tolerations = [...tolerations, ...added];
    },
  };
}
