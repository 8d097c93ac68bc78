import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Causes } from '../../../../machinery/index.ts';
import { arbitraryObject } from '../../../../testkit/index.ts';
import { shape } from '../../../shape.ts';
import {
  Pod,
  podLimits,
  podRequests,
  prepareEphemeralContainers,
  preparePodResize,
  summarizePod,
  validateEphemeralContainersUpdate,
  validatePodResize,
} from '../pod.ts';
import { type Body, causesOf, container, context, createdPod, decoded } from './fixture.ts';

const debug = container({ name: 'debug' });

describe('pods/ephemeralcontainers', () => {
  const causes = (before: Body[], after: Body[]): string[] => {
    const old = createdPod({ ephemeralContainers: before });
    const pod = createdPod(
      { ephemeralContainers: after, nodeName: 'ignored' },
      { labels: { also: 'ignored' } },
    );
    prepareEphemeralContainers(pod, old);
    expect(pod.spec.nodeName).toBeUndefined();
    expect(pod.metadata.labels).toBeUndefined();
    return causesOf((found) => validateEphemeralContainersUpdate(pod, old, found));
  };
  it.each([
    ['adds', [], [debug], []],
    ['keeps', [debug], [debug], []],
    [
      'does not remove',
      [debug],
      [],
      ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n'],
    ],
    [
      'does not change',
      [debug],
      [{ ...debug, image: 'other' }],
      ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be changed\n'],
    ],
    ['judges', [], [{ ...debug, image: '' }], ['spec.ephemeralContainers[0].image: Required value']],
  ])('%s', (_, before, after, expected) =>
    expect(causes(before as unknown as Body[], after as unknown as Body[])).toEqual(expected),
  );
});

describe('pods/resize', () => {
  const having = (resources: Body, more: Body = {}) => ({ containers: [container({ resources, ...more })] });
  const causes = (before: Body, after: Body): string[] => {
    const old = createdPod(before);
    const pod = createdPod(after);
    preparePodResize(pod, old);
    return causesOf((found) => validatePodResize(pod, old, found));
  };
  const cpu = (amount: string) => having({ requests: { cpu: amount } });
  it.each<[string, Body, Body, string[]]>([
    ['changes cpu', cpu('1'), cpu('2'), []],
    ['ignores an image', cpu('1'), having({ requests: { cpu: '2' } }, { image: 'other' }), []],
    [
      'does not remove',
      having({ requests: { cpu: '1', memory: '1Gi' } }),
      cpu('1'),
      ['spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed'],
    ],
    [
      'does not change the QoS class',
      having({ requests: { cpu: '1' }, limits: { cpu: '2', memory: '1Gi' } }),
      having({ limits: { cpu: '2', memory: '1Gi' } }),
      ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'],
    ],
    [
      'does not change storage',
      having({ requests: { cpu: '1', 'ephemeral-storage': '1Gi' } }),
      having({ requests: { cpu: '1', 'ephemeral-storage': '2Gi' } }),
      ['spec: Forbidden: only cpu and memory resources are mutable'],
    ],
    [
      'does not change init containers',
      { initContainers: [container({ name: 'i', resources: { requests: { cpu: '1' } } })] },
      { initContainers: [container({ name: 'i', resources: { requests: { cpu: '2' } } })] },
      ['spec: Forbidden: resources for non-sidecar init containers are immutable'],
    ],
    [
      'does not know Windows',
      { ...cpu('1'), os: { name: 'windows' } },
      { ...cpu('2'), os: { name: 'windows' } },
      [': Forbidden: windows pods cannot be resized'],
    ],
  ])('%s', (_, before, after, expected) => expect(causes(before, after)).toEqual(expected));
});

it('any pod can be defaulted twice, judged, shown and counted', () => {
  const containers = fc.array(arbitraryObject(shape('core.v1.Container'), { fields: 12, depth: 5 }), {
    maxLength: 3,
  });
  const body = fc.record({
    metadata: fc.record({ name: fc.constantFrom('a', 'a.b', '') }),
    spec: fc
      .tuple(arbitraryObject(shape('core.v1.PodSpec'), { fields: 12, depth: 5 }), containers, containers)
      .map(([spec, main, init]) => ({ ...spec, containers: main, initContainers: init })),
    status: arbitraryObject(shape('core.v1.PodStatus'), { fields: 8, depth: 5 }),
  });
  fc.assert(
    fc.property(body, body, (one, other) => {
      const pod = decoded(one);
      const again = structuredClone(pod);
      Pod.defaults?.(again);
      expect(again).toEqual(pod);
      summarizePod(pod);
      podRequests(pod);
      podLimits(pod);
      const old = decoded(other);
      const causes = new Causes();
      Pod.validateStatus?.(pod, old, causes);
      Pod.validate?.(pod, old, causes);
      validatePodResize(pod, old, causes);
      validateEphemeralContainersUpdate(pod, old, causes);
      Pod.prepareCreate?.(pod, context);
      Pod.validate?.(pod, undefined, causes);
      Pod.warn?.(pod, undefined);
      for (const cause of causes.list) expect(cause.field?.startsWith('.')).toBe(false);
    }),
    { numRuns: 150 },
  );
});
