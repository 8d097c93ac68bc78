// /dev/null, as it should be. crun (1.8 and others) hands what a command reads from to the command's user, and what `kubectl exec`
// and probes run reads from /dev/null: its new owner could close it to everybody on the machine.
import { chmodSync, chownSync, statSync } from 'node:fs';

export interface DeviceOwner {
  readonly uid: number;
  readonly gid: number;
}

const root: DeviceOwner = { uid: 0, gid: 0 };
const everybodys = 0o666;

/** Everybody's to use and root's to change again. Returns what it had become, `1000:1000 mode 600`; undefined = it was as it should be. Throws where that cannot be. */
export function restoreNullDevice(path = '/dev/null', owner = root): string | undefined {
  const { uid, gid, mode } = statSync(path);
  const bits = mode & 0o777;
  if (uid === owner.uid && gid === owner.gid && bits === everybodys) return undefined;
  // First the owner: he could undo the rest.
  chownSync(path, owner.uid, owner.gid);
  chmodSync(path, everybodys);
  return `${uid}:${gid} mode ${bits.toString(8)}`;
}
