// A test file that needs a machine of its own: it runs itself a second time, as root, inside mount and network namespaces, so that
// nothing of it is seen outside and everything goes when it ends.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../src/os/index.ts';
import { root } from './tour-machine.ts';

/** This is the second run. */
export const inside = process.env['JOTASU_TEST_NAMESPACE'] === '1';

const needed = ['containerd', 'ctr', 'nft', 'ip', 'unshare'];

/** Why containers cannot be run here; throws instead when JOTASU_REQUIRE_ALL is set. `what` is left out then. */
export function whyNoContainers(what: string): string | undefined {
  const searchPath = process.env['PATH'] ?? '';
  const missing = needed.filter((name) => findProgram(name, searchPath) === undefined);
  if (!['crun', 'runc'].some((name) => findProgram(name, searchPath) !== undefined))
    missing.push('crun or runc');
  if (!existsSync('/usr/lib/cni/bridge')) missing.push('containernetworking-plugins');
  const why =
    process.getuid?.() !== 0 ? 'not root' : missing.length > 0 ? `missing: ${missing.join(', ')}` : undefined;
  if (why === undefined) return undefined;
  const line = `SKIPPED ${what}: ${why}`;
  if (process.env['JOTASU_REQUIRE_ALL'] === '1') throw new Error(line);
  console.warn(line);
  return why;
}

/** Runs `file` (from the root of the project) inside; an error with all it said unless its tests pass. */
export function runInside(file: string): void {
  // crun refuses to run beside a second cgroup hierarchy; pods' network namespaces are pinned below /run/netns.
  const prepare = [
    'umount /sys/fs/cgroup/unified 2>/dev/null',
    'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns',
    'ip link set lo up',
    'exec "$@"',
  ].join('\n');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const command = [process.execPath, vitest, 'run', '--project', 'node', file];
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', '--net', '--propagation', 'private', 'sh', '-c', prepare, 'sh', ...command],
    { cwd: root, env: { ...process.env, JOTASU_TEST_NAMESPACE: '1', NO_COLOR: '1' }, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
  console.log(stdout.trim());
}
