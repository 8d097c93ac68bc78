import { describe, expect, it } from 'vitest';
import type { PodSpec } from '../../../../generated/core-v1.ts';
import { Pod } from '../../pod.ts';
import { type Body, causesOf, container, createdPod, updateCauses, withStatus } from '../fixture.ts';

const refused =
  'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n';

describe('an update', () => {
  const toleration = { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 };
  const gates = [{ name: 'a.b/c' }, { name: 'a.b/d' }];
  const zone = (...values: string[]) => ({
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values }] }],
      },
    },
  });

  const allowed: [string, Body, (spec: PodSpec) => void][] = [
    ['nothing', {}, () => {}],
    ['an image', {}, (spec) => (spec.containers[0]!.image = 'nginx:2')],
    ['a deadline', {}, (spec) => (spec.activeDeadlineSeconds = 10)],
    ['a nearer deadline', { activeDeadlineSeconds: 10 }, (spec) => (spec.activeDeadlineSeconds = 5)],
    [
      'one more toleration',
      { tolerations: [toleration] },
      (spec) => spec.tolerations!.push({ operator: 'Exists' }),
    ],
    [
      'how long a toleration lasts',
      { tolerations: [toleration] },
      (spec) => (spec.tolerations![0]!.tolerationSeconds = 5),
    ],
    ['one gate less', { schedulingGates: gates }, (spec) => spec.schedulingGates!.pop()],
    ['no gates', { schedulingGates: gates }, (spec) => delete spec.schedulingGates],
    [
      'a negative grace period',
      { terminationGracePeriodSeconds: -1 },
      (spec) => (spec.terminationGracePeriodSeconds = 1),
    ],
    [
      'more node labels while gated',
      { schedulingGates: gates },
      (spec) => (spec.nodeSelector = { zone: 'a' }),
    ],
    ['an affinity while gated', { schedulingGates: gates }, (spec) => (spec.affinity = zone('a'))],
    [
      'a narrower affinity while gated',
      { schedulingGates: gates, affinity: zone('a', 'b') },
      (spec) =>
        spec.affinity!.nodeAffinity!.requiredDuringSchedulingIgnoredDuringExecution!.nodeSelectorTerms[0]!.matchExpressions!.push(
          { key: 'disk', operator: 'Exists' },
        ),
    ],
  ];
  it.each(allowed)('may change %s', (_, spec, change) => expect(updateCauses(spec, change)).toEqual([]));

  const forbidden: [string, Body, (spec: PodSpec) => void, string[]][] = [
    [
      'a container',
      {},
      (spec) => spec.containers.push(container({ name: 'b' })),
      [
        'spec.containers[1].imagePullPolicy: Required value',
        'spec.containers: Forbidden: pod updates may not add or remove containers',
      ].slice(1),
    ],
    [
      'a later deadline',
      { activeDeadlineSeconds: 10 },
      (spec) => (spec.activeDeadlineSeconds = 11),
      ['spec.activeDeadlineSeconds: Invalid value: 11: must be less than or equal to previous value'],
    ],
    [
      'a toleration',
      { tolerations: [toleration] },
      (spec) => (spec.tolerations![0]!.key = 'b'),
      ['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'],
    ],
    [
      'new gates',
      { schedulingGates: gates },
      (spec) => spec.schedulingGates!.push({ name: 'a.b/e' }),
      [
        "spec.schedulingGates[2].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a.b/e'",
      ],
    ],
    [
      'the values of an affinity while gated',
      { schedulingGates: gates, affinity: zone('a', 'b') },
      (spec) => (spec.affinity = zone('a')),
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]: Invalid value: {"matchExpressions":[{"key":"zone","operator":"In","values":["a"]}]}: only additions are allowed (no mutations or deletions)',
      ],
    ],
    [
      'node labels while gated, other than by adding',
      { schedulingGates: gates, nodeSelector: { a: 'b' } },
      (spec) => (spec.nodeSelector = { a: 'c' }),
      ['spec.nodeSelector: Invalid value: {"a":"c"}: only additions are allowed (no mutations or deletions)'],
    ],
    [
      'the node',
      {},
      (spec) => (spec.nodeName = 'n'),
      [`${refused}  core.PodSpec{\n- \tNodeName: nil,\n+ \tNodeName: "n",\n  }\n`],
    ],
    [
      'the grace period',
      {},
      (spec) => (spec.terminationGracePeriodSeconds = 1),
      [
        `${refused}  core.PodSpec{\n- \tTerminationGracePeriodSeconds: 30,\n+ \tTerminationGracePeriodSeconds: 1,\n  }\n`,
      ],
    ],
  ];
  it.each(forbidden)('may not change %s', (_, spec, change, causes) =>
    expect(updateCauses(spec, change)).toEqual(causes),
  );

  it('may not touch the annotation of a mirror pod', () => {
    const old = createdPod({ nodeName: 'n' }, { annotations: { 'kubernetes.io/config.mirror': 'x' } });
    const pod = structuredClone(old);
    delete pod.metadata.annotations;
    expect(causesOf((causes) => Pod.validate?.(pod, old, causes))).toEqual([
      'metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror pod annotation',
    ]);
  });
});

describe('a status', () => {
  const ended = (exitCode: number) => [{ name: 'web', state: { terminated: { exitCode } } }];
  const running = [{ name: 'web', state: { running: {} } }];
  const cases: [string, Body, Body, Body, string[]][] = [
    ['addresses', {}, {}, { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] }, []],
    [
      'two addresses of a family',
      {},
      {},
      { podIPs: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] },
      [
        'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than one IP for each IP family',
      ],
    ],
    [
      'another QoS class',
      {},
      { qosClass: 'BestEffort' },
      { qosClass: 'Burstable' },
      ['status.qosClass: Invalid value: "Burstable": field is immutable'],
    ],
    ['a restart', {}, { containerStatuses: ended(1) }, { containerStatuses: running }, []],
    [
      'a restart that the pod does not want',
      { restartPolicy: 'Never' },
      { containerStatuses: ended(1) },
      { containerStatuses: running },
      ['status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state'],
    ],
    [
      'a restart after a failure',
      { restartPolicy: 'OnFailure' },
      { containerStatuses: ended(1) },
      { containerStatuses: running },
      [],
    ],
    [
      'a restart after success',
      { restartPolicy: 'OnFailure' },
      { containerStatuses: ended(0) },
      { containerStatuses: running },
      ['status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state'],
    ],
    [
      'host addresses that differ',
      {},
      {},
      { hostIP: '10.0.0.1', hostIPs: [{ ip: '10.0.0.2' }] },
      ['status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`'],
    ],
  ];
  it.each(cases)('%s', (_, spec, before, after, causes) => {
    const pod = createdPod(spec);
    expect(
      causesOf((found) => Pod.validateStatus?.(withStatus(pod, after), withStatus(pod, before), found)),
    ).toEqual(causes);
  });
});
