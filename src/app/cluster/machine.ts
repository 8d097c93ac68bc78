// What the commands on clusters get of the outside world. `up.ts` above makes the real one.
import type { Clock } from '../../base/index.ts';
import type { CgroupLayout, Exec } from '../../os/index.ts';

export interface Machine {
  readonly exec: Exec;
  readonly clock: Clock;
  /** Reads it when first asked. */
  readonly cgroups: () => CgroupLayout;
  /** The words that start this program again, before a subcommand. */
  readonly program: readonly string[];
  /** How a person types this program: `jotasu` where that is installed, else `./jotasu`. */
  readonly command: string;
  readonly programVersion: string;
  /** PATH */
  readonly searchPath: string;
  /** What `--kubeconfig` is when it is not given. */
  readonly defaultKubeconfig: string;
  /** Where clusters are found by name: `/var/lib/jotasu`. */
  readonly clustersDir: string;
  /** What is gone after a reboot: `/run/jotasu`. */
  readonly runDir: string;
  /** The processes' own effective user. */
  readonly isRoot: boolean;
  /** One line for the person who typed the command. */
  readonly say: (line: string) => void;
}
