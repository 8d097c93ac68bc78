import { expect, test } from 'vitest';
import type { coreV1 } from '../../api/index.ts';
import { noLogYet } from './no-log-yet.ts';

const waiting = (name: string, reason: string) =>
  ({ name, state: { waiting: { reason } } }) as unknown as coreV1.ContainerStatus;

test.each<[string, coreV1.PodStatus | undefined, string]>([
  ['nothing is known of it', undefined, 'is not available'],
  ['only others are known', { containerStatuses: [waiting('o', 'ContainerCreating')] }, 'is not available'],
  [
    'it is about to be made',
    { containerStatuses: [waiting('o', 'x'), waiting('c', 'ContainerCreating')] },
    'is waiting to start: ContainerCreating',
  ],
  [
    'others run before it',
    { containerStatuses: [waiting('c', 'PodInitializing')] },
    'is waiting to start: PodInitializing',
  ],
  [
    'one that runs before others',
    { initContainerStatuses: [waiting('c', 'CreateContainerConfigError')] },
    'is waiting to start: CreateContainerConfigError',
  ],
  [
    'one that was added',
    { ephemeralContainerStatuses: [waiting('c', 'ErrImageNeverPull')] },
    'is waiting to start: ErrImageNeverPull',
  ],
  [
    'its image is not there',
    { containerStatuses: [waiting('c', 'ErrImagePull')] },
    "is waiting to start: image can't be pulled",
  ],
  [
    'nor later',
    { containerStatuses: [waiting('c', 'ImagePullBackOff')] },
    'is waiting to start: trying and failing to pull image',
  ],
  [
    'nobody says why',
    { containerStatuses: [{ name: 'c', state: {} } as coreV1.ContainerStatus] },
    'is waiting to start - no logs yet',
  ],
])('%s', (_, status, expected) =>
  expect(noLogYet({ container: 'c', pod: 'p' }, status)).toBe(`container "c" in pod "p" ${expected}`),
);
