// What an agent knows of its node from the start: what is told goes before what is usual.
import { expect, test } from 'vitest';
import { type NodeFactsOptions, readNodeFacts } from './node-facts.ts';
import { fourCpuMachine } from './testdata/machine.ts';

const read = (more: Partial<NodeFactsOptions> = {}) =>
  readNodeFacts(
    {
      nodeName: 'n1',
      nodeIps: ['10.0.0.1'],
      stateDir: '/state',
      logDir: '/logs',
      cgroupParent: '/jotasu/n1',
      version: 'v1.35.2-alpha.1',
      ...more,
    },
    fourCpuMachine,
  );

test('probes name the minor version, as those of a kubelet', () => {
  expect(read().userAgent).toBe('kube-probe/1.35');
});

test('what nobody told is as usual', () => {
  const { dns, admission, seccompDir, memoryCapacityBytes, isolate } = read();
  expect(dns).toMatchObject({ clusterDns: [], clusterDomain: 'cluster.local' });
  expect(admission.allowedSysctls).toEqual([]);
  expect(seccompDir).toBe('/state/seccomp');
  expect(memoryCapacityBytes).toBe(fourCpuMachine.memoryBytes);
  expect(isolate).toBeUndefined();
});

test.each([true, false])('whether AppArmor is enforced is believed: %s', (appArmor) => {
  const { admission } = read({ admission: { appArmor } });
  expect(admission).toEqual({ allowedSysctls: [], appArmor });
});

test('the cluster’s names and addresses', () => {
  const { dns } = read({ clusterDns: ['10.96.0.10'], clusterDomain: 'example.org' });
  expect(dns).toMatchObject({ clusterDns: ['10.96.0.10'], clusterDomain: 'example.org' });
});
