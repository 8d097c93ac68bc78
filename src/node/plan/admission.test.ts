import { describe, expect, test } from 'vitest';
import type { coreV1, Pod } from '../../api/index.ts';
import { buildNode, buildPod } from '../../testkit/index.ts';
import { type AdmissionInput, admit } from './admission.ts';
import { checkAllowedSysctl, normalizeSysctl } from './sysctls.ts';

const node = buildNode('n1', {
  labels: { disk: 'ssd' },
  allocatable: { pods: '3', 'ephemeral-storage': '10Gi' },
});
const pod = (spec: Partial<coreV1.PodSpec> = {}, name = 'p'): Pod => buildPod(name, { node: 'n1', spec });
const asking = (requests: Record<string, string>, name = 'p'): Pod =>
  pod({ containers: [{ name: 'c', resources: { requests } }] as coreV1.Container[] }, name);
const listening = (name: string, port: Partial<coreV1.ContainerPort>): Pod =>
  pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, ...port }] }] as coreV1.Container[] }, name);

const verdict = (of: Pod, more: Partial<AdmissionInput> = {}): string => {
  const found = admit({
    pod: of,
    others: [],
    node,
    allowedSysctls: [],
    appArmor: false,
    isStatic: false,
    ...more,
  });
  return found === undefined ? 'admitted' : `${found.reason}: ${found.message}`;
};

const setting = (name: string, spec: Partial<coreV1.PodSpec> = {}): Pod =>
  pod({ ...spec, securityContext: { sysctls: [{ name, value: '1' }] } });

describe('a node', () => {
  const cases: [what: string, pod: Pod, more: Partial<AdmissionInput>, expected: string][] = [
    ['takes a pod that asks for nothing', pod(), {}, 'admitted'],
    ['takes a pod that just fits', asking({ cpu: '4', memory: '8Gi' }), {}, 'admitted'],
    [
      'has no cpu left',
      asking({ cpu: '1500m' }),
      { others: [asking({ cpu: '3' }, 'q')] },
      "OutOfcpu: Node didn't have enough resource: cpu, requested: 1500, used: 3000, capacity: 4000",
    ],
    [
      'has no memory left',
      asking({ memory: '9Gi' }),
      {},
      "OutOfmemory: Node didn't have enough resource: memory, requested: 9663676416, used: 0, capacity: 8589934592",
    ],
    [
      'has no storage left',
      asking({ 'ephemeral-storage': '11Gi' }),
      {},
      "OutOfephemeral-storage: Node didn't have enough resource: ephemeral-storage, requested: 11811160064, used: 0, capacity: 10737418240",
    ],
    [
      'has no place left',
      pod(),
      { others: [pod({}, 'q'), pod({}, 'r'), pod({}, 's')] },
      "OutOfpods: Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
    ],
    ['leaves resources that it does not know to others', asking({ 'example.com/gpu': '1' }), {}, 'admitted'],
    ['takes a pod that selects it', pod({ nodeSelector: { disk: 'ssd' } }), {}, 'admitted'],
    [
      'refuses a pod that selects another',
      pod({ nodeSelector: { disk: 'hdd' } }),
      {},
      "NodeAffinity: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ],
    [
      'gives a port once',
      listening('p', { hostPort: 8080 }),
      { others: [listening('q', { hostPort: 8080, hostIP: '10.0.0.1' })] },
      "NodePorts: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    ],
    [
      'tells protocols and addresses of ports apart',
      listening('p', { hostPort: 8080, hostIP: '10.0.0.2' }),
      {
        others: [
          listening('q', { hostPort: 8080, hostIP: '10.0.0.1' }),
          listening('r', { hostPort: 8080, protocol: 'UDP' }),
        ],
      },
      'admitted',
    ],
    [
      'is no Windows',
      pod({ os: { name: 'windows' } }),
      {},
      "PodOSNotSupported: Failed to admit pod as the OS field doesn't match node OS",
    ],
    [
      'is no Windows by label either',
      buildPod('p', { labels: { 'kubernetes.io/os': 'windows' } }),
      {},
      "PodOSSelectorNodeLabelDoesNotMatch: Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    ],
    [
      'cannot be strict with groups',
      pod({ securityContext: { supplementalGroupsPolicy: 'Strict' } }),
      {},
      'SupplementalGroupsPolicyNotSupported: SupplementalGroupsPolicy=Strict is not supported in this node',
    ],
    [
      'cannot enforce AppArmor',
      pod({ securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }),
      {},
      'AppArmor: Cannot enforce AppArmor: AppArmor is not enabled on the host',
    ],
    [
      'need not enforce it for who wants to be unconfined',
      pod({ securityContext: { appArmorProfile: { type: 'Unconfined' } } }),
      {},
      'admitted',
    ],
    ['lets pods set what is safe', setting('net.ipv4.tcp_syncookies'), {}, 'admitted'],
    [
      'lets nobody set what is not',
      setting('kernel.msgmax'),
      {},
      'SysctlForbidden: forbidden sysctl: "kernel.msgmax" not allowlisted',
    ],
    [
      'lets pods set what its owner allows',
      setting('kernel.msgmax'),
      { allowedSysctls: ['kernel.msg*'] },
      'admitted',
    ],
    ['knows slashes in names', setting('net/ipv4/tcp_syncookies'), {}, 'admitted'],
    [
      'keeps its own parameters',
      setting('net.ipv4.tcp_syncookies', { hostNetwork: true }),
      {},
      'SysctlForbidden: forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled',
    ],
  ];
  test.each(cases)('%s', (_, of, more, expected) => expect(verdict(of, more)).toBe(expected));

  const tainted = buildNode('n1', { taints: [{ key: 'k', effect: 'NoExecute' }] });
  test('refuses pods that would be evicted at once', () => {
    expect(verdict(pod(), { node: tainted })).toBe(
      "TaintToleration: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
    );
    expect(verdict(pod({ tolerations: [{ operator: 'Exists' }] }), { node: tainted })).toBe('admitted');
    expect(verdict(pod(), { node: tainted, isStatic: true })).toBe('admitted');
  });

  test('that has not told what it has refuses nobody for lack of it', () => {
    const { status: _, ...young } = buildNode('n1');
    expect(verdict(asking({ cpu: '100' }), { node: young as typeof node })).toBe('admitted');
  });

  test('keeps no one off by a taint that only schedulers heed', () => {
    const shy = buildNode('n1', { taints: [{ key: 'k', effect: 'NoSchedule' }] });
    expect(verdict(pod(), { node: shy })).toBe('admitted');
  });
});

describe('kernel parameters', () => {
  test.each([
    ['net/ipv4/conf/eth0.1/x', 'net.ipv4.conf.eth0/1.x'],
    ['net.ipv4.x', 'net.ipv4.x'],
  ])('%s is %s', (name, plain) => expect(normalizeSysctl(name)).toBe(plain));

  test.each([
    ['kernel.msg*', undefined],
    ['net.core.somaxconn', undefined],
    ['vm.swappiness', 'the sysctls "vm.swappiness" are not known to be namespaced'],
    ['a b', 'sysctl "a b" is no name of a kernel parameter'],
  ])('%s may be allowed: %s', (pattern, why) => expect(checkAllowedSysctl(pattern)).toBe(why));
});
