import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pod, podLimits, podRequests, qosClass, warnPodTemplate } from '../pod.ts';
import { type Body, container, createdPod, podOf, withStatus } from './fixture.ts';

const asking = (name: string, requests: Body, more: Body = {}) =>
  container({ name, resources: { requests }, ...more });
const limited = (name: string, limits: Body, requests?: Body) =>
  container({ name, resources: { limits, requests } });
const sidecar = { restartPolicy: 'Always' };

describe('podRequests', () => {
  const cases: [string, Body, Record<string, number>][] = [
    ['nothing', {}, {}],
    [
      'the sum of containers',
      {
        containers: [
          asking('a', { cpu: '100m', memory: '1Ki' }),
          asking('b', { cpu: '1', 'example.com/gpu': '2' }),
        ],
      },
      { cpu: 1100, memory: 1024, 'example.com/gpu': 2 },
    ],
    [
      'the largest init container',
      {
        initContainers: [asking('i', { cpu: '2' }), asking('j', { cpu: '3', memory: '10' })],
        containers: [asking('a', { cpu: '1', memory: '20' })],
      },
      { cpu: 3000, memory: 20 },
    ],
    [
      'a sidecar beside all that start after it',
      {
        initContainers: [
          asking('i', { cpu: '2' }),
          asking('s', { cpu: '1' }, sidecar),
          asking('j', { cpu: '4' }),
        ],
        containers: [asking('a', { cpu: '1' })],
      },
      { cpu: 5000 },
    ],
    [
      'sidecars and containers',
      {
        initContainers: [asking('s', { cpu: '1' }, sidecar), asking('t', { cpu: '1' }, sidecar)],
        containers: [asking('a', { cpu: '3' })],
      },
      { cpu: 5000 },
    ],
    ['overhead', { overhead: { cpu: '250m' }, containers: [asking('a', { cpu: '1' })] }, { cpu: 1250 }],
    [
      'what is given for the pod as a whole',
      { resources: { requests: { cpu: '3' } }, containers: [asking('a', { cpu: '1', memory: '5' })] },
      { cpu: 3000, memory: 5 },
    ],
    ['parts of a unit, rounded up', { containers: [asking('a', { memory: '1500m' })] }, { memory: 2 }],
  ];
  it.each(cases)('counts %s', (_, spec, expected) => expect(podRequests(podOf(spec))).toEqual(expected));

  it('counts what a container still has while it is resized', () => {
    const pod = podOf({ containers: [asking('a', { cpu: '1' })] });
    const granted = [
      { name: 'a', allocatedResources: { cpu: '2' }, resources: { requests: { cpu: '1500m' } } },
    ];
    expect(podRequests(withStatus(pod, { containerStatuses: granted }))).toEqual({ cpu: 2000 });
    const larger = podOf({ containers: [asking('a', { cpu: '8' })] });
    const refused = [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }];
    expect(podRequests(withStatus(larger, { containerStatuses: granted }))).toEqual({ cpu: 8000 });
    expect(podRequests(withStatus(larger, { containerStatuses: granted, conditions: refused }))).toEqual({
      cpu: 2000,
    });
  });

  it('is never less than any container asks for', () => {
    const amount = fc.integer({ min: 0, max: 5000 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ cpu: amount, sidecar: fc.boolean() }), { maxLength: 5 }),
        fc.array(amount, { minLength: 1, maxLength: 4 }),
        (starting, running) => {
          const spec = {
            initContainers: starting.map((c, i) =>
              asking(`i${i}`, { cpu: `${c.cpu}m` }, c.sidecar ? sidecar : {}),
            ),
            containers: running.map((cpu, i) => asking(`c${i}`, { cpu: `${cpu}m` })),
          };
          const { cpu } = podRequests(podOf(spec)) as { cpu: number };
          const beside = starting.filter((c) => c.sidecar).reduce((sum, c) => sum + c.cpu, 0);
          expect(cpu).toBeGreaterThanOrEqual(running.reduce((sum, c) => sum + c, 0) + beside);
          for (const c of starting) expect(cpu).toBeGreaterThanOrEqual(c.cpu);
          const all = starting.reduce((sum, c) => sum + c.cpu, 0) + running.reduce((sum, c) => sum + c, 0);
          expect(cpu).toBeLessThanOrEqual(all);
        },
      ),
    );
  });
});

it('podLimits adds overhead only to what is limited', () => {
  const spec = { overhead: { cpu: '1', memory: '1' }, containers: [limited('a', { cpu: '2' })] };
  expect(podLimits(podOf(spec))).toEqual({ cpu: 3000 });
});

describe('qosClass', () => {
  const full = { cpu: '1', memory: '1Gi' };
  const cases: [string, Body, string][] = [
    ['nothing', {}, 'BestEffort'],
    ['only other resources', { containers: [limited('a', { 'ephemeral-storage': '1Gi' })] }, 'BestEffort'],
    ['all limited', { containers: [limited('a', full), limited('b', full)] }, 'Guaranteed'],
    [
      'equal in other words',
      { containers: [limited('a', full, { cpu: '1000m', memory: '1024Mi' })] },
      'Guaranteed',
    ],
    ['asks for less', { containers: [limited('a', full, { cpu: '500m' })] }, 'Burstable'],
    ['one is not limited', { containers: [limited('a', full), container({ name: 'b' })] }, 'Burstable'],
    [
      'an init container is not',
      { initContainers: [container({ name: 'i' })], containers: [limited('a', full)] },
      'Burstable',
    ],
    ['only cpu', { containers: [limited('a', { cpu: '1' })] }, 'Burstable'],
    ['zeros', { containers: [asking('a', { cpu: '0' })] }, 'BestEffort'],
    ['the pod as a whole', { resources: { limits: full } }, 'Guaranteed'],
    ['half of the pod', { resources: { requests: { cpu: '1' } } }, 'Burstable'],
  ];
  it.each(cases)('%s', (_, spec, expected) => expect(qosClass(podOf(spec))).toBe(expected));
});

it('a status keeps what a report leaves out', () => {
  const old = withStatus(createdPod(), {
    qosClass: 'BestEffort',
    observedGeneration: 2,
    conditions: [{ type: 'Ready', status: 'True', observedGeneration: 2 }],
  });
  const pod = withStatus(createdPod(), {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'False' }],
  });
  Pod.prepareStatus?.(pod, old, { nowMs: 0 });
  expect(pod.status).toEqual({
    phase: 'Running',
    qosClass: 'BestEffort',
    observedGeneration: 2,
    conditions: [{ type: 'Ready', status: 'False', observedGeneration: 2 }],
  });
});

describe('warnings', () => {
  const cases: [string, Body, Body, string[]][] = [
    ['none', {}, {}, []],
    [
      'a name with dots',
      {},
      { name: 'a.b' },
      [
        "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
      ],
    ],
    [
      'a variable that hides another',
      {
        containers: [
          container({
            env: [
              { name: 'A', value: '1' },
              { name: 'A', value: '2' },
              { name: 'B', value: 'x' },
              { name: 'B', value: '$(B)y' },
            ],
          }),
        ],
      },
      {},
      ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
    ],
    [
      'old node labels',
      { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } },
      {},
      ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
    ],
    [
      'one port twice',
      {
        containers: [
          container({ ports: [{ containerPort: 80 }] }),
          container({ name: 'b', ports: [{ containerPort: 80 }] }),
        ],
      },
      {},
      ['spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]'],
    ],
    [
      'thousandths of bytes',
      { containers: [container({ resources: { requests: { memory: '100m' } } })] },
      {},
      [
        'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
      ],
    ],
    [
      'pull secrets',
      { imagePullSecrets: [{ name: 'a' }, { name: 'a' }, {}] },
      {},
      [
        'spec.imagePullSecrets[1].name: duplicate name "a"',
        'spec.imagePullSecrets[2].name: invalid empty name ""',
      ],
    ],
    [
      'a selector that selects nothing',
      { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'DoNotSchedule' }] },
      {},
      ['spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod'],
    ],
    [
      'AppArmor by annotation',
      {},
      { annotations: { 'container.apparmor.security.beta.kubernetes.io/web': 'unconfined' } },
      [
        'metadata.annotations[container.apparmor.security.beta.kubernetes.io/web]: deprecated since v1.30; use the "appArmorProfile" field instead',
      ],
    ],
  ];
  it.each(cases)('%s', (_, spec, metadata, expected) =>
    expect(Pod.warn?.(createdPod(spec, metadata), undefined)).toEqual(expected),
  );

  it('of a template name its place', () => {
    const { spec } = podOf({ nodeSelector: { 'beta.kubernetes.io/arch': 'amd64' } });
    expect(warnPodTemplate({ spec }, 'spec.template')).toEqual([
      'spec.template.spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use "kubernetes.io/arch" instead',
    ]);
  });

  it('are for creates only', () => {
    const pod = createdPod({}, { name: 'a.b' });
    expect(Pod.warn?.(pod, pod)).toEqual([]);
  });
});
