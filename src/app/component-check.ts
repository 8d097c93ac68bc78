// How controllers and scheduler are, for componentstatuses. A part of this process is as well as the process that answers; a part
// that runs elsewhere is known by the Lease with which it leads.
import { Lease } from '../api/index.ts';
import { type ComponentCheck, objectOf } from '../apiserver/index.ts';
import type { Clock } from '../base/index.ts';
import { storageKey } from '../machinery/index.ts';
import type { Store } from '../storage/index.ts';

const namespace = 'kube-system';

export function componentCheck(
  name: 'controller-manager' | 'scheduler',
  { store, clock, here }: { store: Store; clock: Clock; here: boolean },
): ComponentCheck {
  const lease = `kube-${name}`;
  return {
    name,
    async check() {
      if (here) return undefined;
      const entry = store.get(storageKey(Lease, { namespace, name: lease }));
      if (entry === undefined)
        return `it does not run in this server, and nobody holds the lease ${namespace}/${lease}`;
      const { renewTime, leaseDurationSeconds = 0 } = objectOf<Lease>(entry).spec ?? {};
      const renewed = Date.parse(renewTime ?? '');
      return renewed + leaseDurationSeconds * 1000 >= clock.nowMs()
        ? undefined
        : `the lease ${namespace}/${lease} has not been renewed since ${renewTime ?? 'ever'}`;
    },
  };
}
