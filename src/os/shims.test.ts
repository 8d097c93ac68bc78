// Which command lines are those of shims that serve.
import { expect, test } from 'vitest';
import { parseShim } from './shims.ts';

const serving = ['-namespace', 'k8s.io', '-id', 'abc', '-address', '/run/c.sock', ''];
const shim = { namespace: 'k8s.io', id: 'abc', address: '/run/c.sock' };

test.each([
  [['/usr/bin/containerd-shim-runc-v2', ...serving], shim],
  [['containerd-shim-runc-v2', ...serving], shim],
  [['/usr/bin/containerd-shim-runc-v2', ...serving.slice(0, -1), 'start', ''], undefined],
  [['/usr/bin/containerd-shim-runc-v2', ...serving.slice(0, -1), 'delete', ''], undefined],
  [['/usr/bin/containerd-shim-runc-v2', '-id', 'abc', ''], undefined],
  [['/usr/bin/containerd', '--config', 'x', ''], undefined],
  [['vi', '/usr/bin/containerd-shim-runc-v2', ...serving], undefined],
  [[''], undefined],
])('%j', (args, expected) => {
  expect(parseShim(args)).toEqual(expected);
});
