// The control groups of this node's pods in the kernel. What they hold is decided in container/pod-cgroup.ts; here it is only written.
import { writeFileSync } from 'node:fs';
import type { Pod } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import { type CgroupLayout, childrenOf, ensureCgroup, removeCgroup } from '../../os/index.ts';
import {
  burstableShares,
  type GroupValues,
  groupFiles,
  podCgroup,
  podCgroups,
  podGroupValues,
  qosCgroups,
} from '../container/pod-cgroup.ts';

export interface PodCgroups {
  /** Makes a pod's group, with its limits. Idempotent. Throws when the kernel does not let it. */
  ensure(pod: Pod): void;
  /** Before containers of a pod that was `before` change: its group must suffice for the old and the new. */
  loosen(pod: Pod, before: Pod): void;
  /** Which pods there are: together the burstable ones weigh what they ask for. */
  weigh(pods: readonly Pod[]): void;
  /** Once nothing runs in it. The runtime removes only those of containers. */
  remove(uid: string): Promise<void>;
  /** The pods that have a group, also those of another agent with the same parent. */
  list(): readonly string[];
}

/** For nodes that have no control groups of their own: simulated ones and those of tests. */
export const noCgroups: PodCgroups = {
  ensure: () => {},
  loosen: () => {},
  weigh: () => {},
  remove: async () => {},
  list: () => [],
};

/** To be called before something is done to a group; what it returns, after it. */
export type TimeCgroup = (operation: 'create' | 'update' | 'destroy') => () => void;

export interface PodCgroupOptions {
  readonly parent: string;
  readonly layout: CgroupLayout;
  /** How many processes a pod may have; undefined = as many as the node. */
  readonly maxPids?: number | undefined;
  readonly clock: Clock;
  readonly time: TimeCgroup;
}

/** A uid is a UUID, that of a static pod a hash. */
const podGroupName = /^pod([0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

const most = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : Math.max(a, b);

export function kernelCgroups({ parent, layout, maxPids, clock, time }: PodCgroupOptions): PodCgroups {
  const qos = qosCgroups(parent);
  const timed = (operation: Parameters<TimeCgroup>[0], work: () => void): void => {
    const done = time(operation);
    try {
      work();
    } finally {
      done();
    }
  };
  let burstable = 0;
  let levels = false;
  const write = (path: string, values: GroupValues) => {
    for (const { file, value } of groupFiles(layout, path, values)) writeFileSync(file, value);
  };
  const weighBurstable = (shares: number) => {
    if (shares === burstable) return;
    timed('update', () => write(qos.burstable, { cpuShares: shares }));
    burstable = shares;
  };
  const ensureLevels = () => {
    if (levels) return;
    ensureCgroup(layout, qos.burstable);
    ensureCgroup(layout, qos.bestEffort);
    // Whoever promised nothing gets what is left.
    write(qos.bestEffort, { cpuShares: burstableShares([]) });
    levels = true;
  };
  return {
    ensure(pod) {
      ensureLevels();
      const path = podCgroup(parent, pod);
      timed('create', () => {
        ensureCgroup(layout, path);
        write(path, podGroupValues(pod, maxPids));
      });
    },
    loosen(pod, before) {
      const now = podGroupValues(pod, maxPids);
      const old = podGroupValues(before, maxPids);
      const loosest = {
        ...now,
        cpuQuotaUs: most(now.cpuQuotaUs, old.cpuQuotaUs),
        memoryBytes: most(now.memoryBytes, old.memoryBytes),
      };
      timed('update', () => write(podCgroup(parent, pod), loosest));
    },
    weigh(pods) {
      ensureLevels();
      weighBurstable(burstableShares(pods));
    },
    async remove(uid) {
      const done = time('destroy');
      try {
        // Something that still ends keeps its group for a moment; what stays then is found by the next clean-up of the node.
        for (const path of podCgroups(parent, uid))
          await removeCgroup(layout, path, clock).catch((error: NodeJS.ErrnoException) => {
            if (error.code !== 'EBUSY') throw error;
          });
      } finally {
        done();
      }
    },
    list() {
      const names = [parent, qos.burstable, qos.bestEffort].flatMap((path) => childrenOf(layout, path));
      return names.flatMap((name) => podGroupName.exec(name)?.slice(1) ?? []);
    },
  };
}
