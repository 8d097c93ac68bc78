// The programs a cluster needs and the Debian packages they come in. The choice: what is looked for is the program itself, on the
// places where it may lie, so that one installed by other means counts.
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Exec } from './exec.ts';

export interface Requirement {
  /** What is needed, as a person would say it. */
  readonly what: string;
  /** Any one of these: a name looked up on PATH, or a path. */
  readonly programs: readonly string[];
  /** The package of Debian and Ubuntu. */
  readonly debianPackage: string;
}

/** Directories of administrators' programs are looked in too: an ordinary PATH lacks them. */
const alwaysLookedIn = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

export interface Programs {
  /** Whether a path names a program that can be run. */
  exists(path: string): boolean;
}

export const systemPrograms: Programs = {
  exists(path) {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  },
};

export function findProgram(
  name: string,
  searchPath: string,
  programs: Programs = systemPrograms,
): string | undefined {
  if (name.includes('/')) return programs.exists(name) ? name : undefined;
  for (const folder of [...searchPath.split(':').filter((f) => f !== ''), ...alwaysLookedIn])
    if (programs.exists(join(folder, name))) return join(folder, name);
  return undefined;
}

export function listMissing(
  requirements: readonly Requirement[],
  searchPath: string,
  programs: Programs = systemPrograms,
): Requirement[] {
  return requirements.filter(
    (requirement) =>
      !requirement.programs.some((name) => findProgram(name, searchPath, programs) !== undefined),
  );
}

/** Installs packages with apt-get: first from what it knows already, then with fresh lists. Rejects with what apt-get said. */
export async function installPackages(exec: Exec, packages: readonly string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages];
  const first = await exec.run(install, { env, mayFail: true });
  if (first.code === 0) return;
  await exec.run(['apt-get', 'update', '-q'], { env });
  await exec.run(install, { env });
}
