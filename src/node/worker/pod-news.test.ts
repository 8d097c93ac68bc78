// Which changes of a pod wake its worker.
import { expect, test } from 'vitest';
import type { Pod } from '../../api/index.ts';
import { buildPod } from '../../testkit/index.ts';
import { newsOf, type PodNews } from './pod-news.ts';

type Change = {
  readonly metadata?: Partial<Pod['metadata']>;
  readonly spec?: Partial<Pod['spec']>;
  readonly status?: Partial<NonNullable<Pod['status']>>;
};
const pod: Pod = buildPod('a');
const changed = (change: Change): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, ...change.metadata },
  spec: { ...pod.spec, ...change.spec },
  status: { ...pod.status, ...change.status } as NonNullable<Pod['status']>,
});

const nothing: PodNews = { files: false, any: false };
const step: PodNews = { files: false, any: true };
const both: PodNews = { files: true, any: true };

test.each<[string, Change, PodNews]>([
  ['its own status', { metadata: { resourceVersion: '2' }, status: { podIP: '10.0.0.9' } }, nothing],
  ['finalizers', { metadata: { finalizers: ['a/b'] } }, nothing],
  ['labels', { metadata: { labels: { new: 'one' } } }, both],
  ['annotations', { metadata: { annotations: { new: 'one' } } }, both],
  ['its spec', { metadata: { generation: 7 } }, both],
  ['that it is deleted', { metadata: { deletionTimestamp: '2026-01-02T03:04:05Z' } }, step],
  ['that it has less time to end', { metadata: { deletionGracePeriodSeconds: 1 } }, step],
  ['a phase that somebody else wrote', { status: { phase: 'Failed' } }, step],
  ['anything, with conditions of others', { spec: { readinessGates: [{ conditionType: 'a/b' }] } }, step],
])('%s', (_, change, news) => {
  expect(newsOf(pod, changed(change))).toEqual(news);
});
