// The kubectl of Debian 12, for the tests of old clients: fetched with apt from where this machine has its packages, unpacked into
// the user's cache and nowhere else. Needs no root. Once; later runs find it there.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const debianPackage = 'kubernetes-client';

/** `1.20`; undefined when it cannot be run. */
function versionOf(kubectl) {
  const { status, stdout } = spawnSync(kubectl, ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const { major, minor } = JSON.parse(stdout).clientVersion;
  return `${major}.${Number.parseInt(minor, 10)}`;
}

/**
 * The path of a kubectl 1.20: $JOTASU_KUBECTL_120, the one on the PATH, the cached one, or else fetched now. When there is none,
 * `why` says so.
 * @returns {{ path: string } | { path: undefined, why: string }}
 */
export function ensureKubectl120(env = process.env) {
  const none = (why) => ({ path: undefined, why });
  const named = env.JOTASU_KUBECTL_120;
  if (named !== undefined && named !== '')
    return versionOf(named) === '1.20'
      ? { path: named }
      : none(`JOTASU_KUBECTL_120=${named} is not kubectl 1.20`);
  if (versionOf('kubectl') === '1.20') return { path: 'kubectl' };
  const cache = join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'jotasu');
  const folder = join(cache, 'kubectl-1.20');
  const path = join(folder, 'usr/bin/kubectl');
  if (versionOf(path) === '1.20') return { path };

  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, 'fetch-'));
  try {
    const step = (command, args) =>
      spawnSync(command, args, { cwd: fresh, encoding: 'utf8', timeout: 120_000 });
    const fetched = step('apt-get', ['download', debianPackage]);
    if (fetched.status !== 0)
      return none(
        `apt-get download ${debianPackage} failed: ${(fetched.error?.message ?? fetched.stderr).trim()}`,
      );
    const file = readdirSync(fresh).find((name) => name.endsWith('.deb'));
    if (file === undefined || step('dpkg', ['-x', file, 'x']).status !== 0)
      return none(`dpkg -x of ${debianPackage} failed`);
    const version = versionOf(join(fresh, 'x/usr/bin/kubectl'));
    if (version !== '1.20') return none(`the ${debianPackage} of this distribution is ${version}`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(fresh, 'x'), folder);
    return { path };
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
