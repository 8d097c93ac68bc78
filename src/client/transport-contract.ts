// The contract suite of Transport: every implementation passes it, the fake included. A test file calls it with the way to make one.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap, Deployment, Namespace, Pod } from '../api/index.ts';
import {
  isAlreadyExists,
  isConflict,
  isExpired,
  isNotFound,
  type KubeObject,
  type StatusError,
} from '../machinery/index.ts';
import { type Client, createClient } from './client.ts';
import type { Transport, WatchEvent, WatchQuery } from './transport.ts';

export interface TransportUnderTest {
  /** Over a server that has the namespaces `default` and `other`, and no config maps, deployments or pods in them. */
  readonly transport: Transport;
  /** Makes the server forget all changes so far. */
  compact(): Promise<void>;
  /** Ends transport and server. */
  close(): Promise<void>;
}

const configMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>) => ({
  metadata: { name, namespace: 'default', ...(labels !== undefined && { labels }) },
  data,
});

const podSpec = { containers: [{ name: 'app', image: 'busybox:1.36' }] };
const deployment = (name: string) => ({
  metadata: { name, namespace: 'default' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: podSpec },
  },
});

/** An observed watch: collects what arrives. Real time: the transport may be a socket. */
class Observed {
  readonly events: WatchEvent[] = [];
  readonly ends: unknown[] = [];
  readonly #abort = new AbortController();
  #wake: (() => void) | null = null;

  constructor(client: Client, query: WatchQuery & { namespace?: string } = {}) {
    client(ConfigMap).watch(
      query,
      {
        onEvents: (events) => {
          this.events.push(...(events as readonly WatchEvent[]));
          this.#wake?.();
        },
        onEnd: (error) => {
          this.ends.push(error);
          this.#wake?.();
        },
      },
      this.#abort.signal,
    );
  }

  stop(): void {
    this.#abort.abort(new Error('enough'));
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** `ADDED a`, `MODIFIED a` … in order, without bookmarks. */
  get told(): string[] {
    return this.events.flatMap((event) =>
      event.type === 'BOOKMARK' ? [] : [`${event.type} ${event.object.metadata.name}`],
    );
  }
}

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

export function transportContract(name: string, make: () => Promise<TransportUnderTest>): void {
  describe(`Transport contract: ${name}`, () => {
    let under: TransportUnderTest;
    let client: Client;
    const watches: Observed[] = [];
    const watch = (query?: ConstructorParameters<typeof Observed>[1]) => {
      const observed = new Observed(client, query);
      watches.push(observed);
      return observed;
    };

    beforeEach(async () => {
      under = await make();
      client = createClient(under.transport);
    });
    afterEach(async () => {
      for (const observed of watches.splice(0)) observed.stop();
      await under.close();
    });

    it('creates with what only the server sets, and gets the same back', async () => {
      const made = await client(ConfigMap).create(configMap('a', { key: 'wört' }));
      expect(made).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { key: 'wört' } });
      expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
      expect(Number(made.metadata.resourceVersion)).toBeGreaterThan(0);
      expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(await client(ConfigMap).get('a', 'default')).toEqual(made);
    });

    it('makes names from generateName', async () => {
      const draft = { metadata: { generateName: 'gen-', namespace: 'default' } };
      const one = await client(ConfigMap).create({ ...draft });
      const two = await client(ConfigMap).create({ metadata: { ...draft.metadata } });
      expect(one.metadata.name).toMatch(/^gen-[a-z0-9]{5}$/);
      expect(two.metadata.name).not.toBe(one.metadata.name);
    });

    it('answers with Status errors', async () => {
      await client(ConfigMap).create(configMap('a'));
      const missing = await failure(client(ConfigMap).get('b', 'default'));
      expect(isNotFound(missing)).toBe(true);
      expect((missing as StatusError).code).toBe(404);
      expect((missing as StatusError).message).toBe('configmaps "b" not found');
      expect((missing as StatusError).details).toMatchObject({ name: 'b', kind: 'configmaps' });
      expect(isAlreadyExists(await failure(client(ConfigMap).create(configMap('a'))))).toBe(true);
      expect(isNotFound(await failure(client(ConfigMap).delete('b', 'default')))).toBe(true);
    });

    it('refuses an update of an old version, and takes one without a version', async () => {
      const first = await client(ConfigMap).create(configMap('a', { v: '1' }));
      const second = await client(ConfigMap).update({ ...first, data: { v: '2' } });
      expect(Number(second.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
      expect(isConflict(await failure(client(ConfigMap).update({ ...first, data: { v: '3' } })))).toBe(true);
      const { resourceVersion: _, ...metadata } = second.metadata;
      const third = await client(ConfigMap).update({
        ...second,
        metadata: metadata as typeof second.metadata,
        data: { v: '3' },
      });
      expect(third.data).toEqual({ v: '3' });
    });

    it('makes no new version of an object that stays the same', async () => {
      const first = await client(ConfigMap).create(configMap('a', { v: '1' }));
      const again = await client(ConfigMap).update({ ...first });
      expect(again.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    });

    it('keeps spec and status apart, and counts generations of the spec', async () => {
      const made = await client(Deployment).create(deployment('web'));
      expect(made.metadata.generation).toBe(1);
      const status = await client(Deployment).updateStatus({
        ...made,
        spec: { ...made.spec!, replicas: 7 },
        status: { ...made.status, replicas: 1, observedGeneration: 1 },
      });
      expect(status.spec?.replicas).toBe(2);
      expect(status.status?.replicas).toBe(1);
      expect(status.metadata.generation).toBe(1);
      const scaled = await client(Deployment).update({
        ...status,
        spec: { ...status.spec!, replicas: 3 },
        status: { replicas: 9 },
      });
      expect(scaled.spec?.replicas).toBe(3);
      expect(scaled.status?.replicas).toBe(1);
      expect(scaled.metadata.generation).toBe(2);
      const at = { name: 'web', namespace: 'default', subresource: 'status' };
      const patched = await client(Deployment).patch(at, 'merge', { status: { observedGeneration: 2 } });
      expect(patched.status).toMatchObject({ replicas: 1, observedGeneration: 2 });
    });

    it('patches: json, merge, strategic', async () => {
      await client(ConfigMap).create(configMap('a', { x: '1', y: '2' }));
      const at = { name: 'a', namespace: 'default' };
      const merged = await client(ConfigMap).patch(at, 'merge', { data: { x: null, z: '3' } });
      expect(merged.data).toEqual({ y: '2', z: '3' });
      const replaced = await client(ConfigMap).patch(at, 'json', [
        { op: 'replace', path: '/data/y', value: '9' },
      ]);
      expect(replaced.data).toEqual({ y: '9', z: '3' });
      await client(Deployment).create(deployment('web'));
      const sided = await client(Deployment).patch({ ...at, name: 'web' }, 'strategic', {
        spec: { template: { spec: { containers: [{ name: 'side', image: 'busybox:1.35' }] } } },
      });
      expect(sided.spec?.template?.spec?.containers?.map((c) => c.name).sort()).toEqual(['app', 'side']);
    });

    it('dry runs answer and change nothing', async () => {
      const made = await client(ConfigMap).create(configMap('a', { v: '1' }));
      const dry = await client(ConfigMap).update({ ...made, data: { v: '2' } }, { dryRun: true });
      expect(dry.data).toEqual({ v: '2' });
      await client(ConfigMap).create(configMap('b'), { dryRun: true });
      await client(ConfigMap).delete('a', 'default', { dryRun: true });
      const { items } = await client(ConfigMap).list({ namespace: 'default' });
      expect(items).toEqual([made]);
    });

    it('deletes on preconditions', async () => {
      const made = await client(ConfigMap).create(configMap('a'));
      const other = { preconditions: { uid: '00000000-0000-4000-8000-000000000000' } };
      expect(isConflict(await failure(client(ConfigMap).delete('a', 'default', other)))).toBe(true);
      await client(ConfigMap).delete('a', 'default', { preconditions: { uid: made.metadata.uid } });
      expect(isNotFound(await failure(client(ConfigMap).get('a', 'default')))).toBe(true);
    });

    it('waits for finalizers', async () => {
      const draft = configMap('a');
      await client(ConfigMap).create({
        ...draft,
        metadata: { ...draft.metadata, finalizers: ['example.com/hold'] },
      });
      await client(ConfigMap).delete('a', 'default');
      const marked = await client(ConfigMap).get('a', 'default');
      expect(marked.metadata.deletionTimestamp).toBeDefined();
      await client(ConfigMap).patch({ name: 'a', namespace: 'default' }, 'merge', {
        metadata: { finalizers: null },
      });
      expect(isNotFound(await failure(client(ConfigMap).get('a', 'default')))).toBe(true);
    });

    it('deletes bound pods gracefully, and at once when told so', async () => {
      await client(Pod).create({
        metadata: { name: 'p', namespace: 'default' },
        spec: { ...podSpec, nodeName: 'n' },
      });
      await client(Pod).delete('p', 'default', { gracePeriodSeconds: 20 });
      const marked = await client(Pod).get('p', 'default');
      expect(marked.metadata.deletionGracePeriodSeconds).toBe(20);
      await client(Pod).delete('p', 'default', { gracePeriodSeconds: 0 });
      expect(isNotFound(await failure(client(Pod).get('p', 'default')))).toBe(true);
    });

    it('binds pods', async () => {
      await client(Pod).create({ metadata: { name: 'p', namespace: 'default' }, spec: podSpec });
      await client(Pod).createSub(
        { name: 'p', namespace: 'default', subresource: 'binding' },
        {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name: 'p' },
          target: { apiVersion: 'v1', kind: 'Node', name: 'n' },
        },
      );
      expect((await client(Pod).get('p', 'default')).spec?.nodeName).toBe('n');
    });

    it('lists a namespace, all of them, a selection and pages', async () => {
      await client(ConfigMap).create(configMap('a', {}, { tier: 'web' }));
      await client(ConfigMap).create(configMap('b'));
      await client(ConfigMap).create({ metadata: { name: 'c', namespace: 'other' } });
      const names = (items: readonly KubeObject[]) =>
        items.map((o) => o.metadata.name).filter((n) => n.length === 1);
      const here = await client(ConfigMap).list({ namespace: 'default' });
      expect(names(here.items)).toEqual(['a', 'b']);
      expect(here.items.every((o) => o.kind === 'ConfigMap' && o.apiVersion === 'v1')).toBe(true);
      expect(Number(here.resourceVersion)).toBeGreaterThan(0);
      expect(names((await client(ConfigMap).list()).items).sort()).toEqual(['a', 'b', 'c']);
      const web = await client(ConfigMap).list({ namespace: 'default', labelSelector: 'tier in (web)' });
      expect(names(web.items)).toEqual(['a']);
      const one = await client(ConfigMap).list({ namespace: 'default', fieldSelector: 'metadata.name=b' });
      expect(names(one.items)).toEqual(['b']);
      const page = await client(ConfigMap).list({ namespace: 'default', limit: 1 });
      expect(names(page.items)).toEqual(['a']);
      const next = await client(ConfigMap).list({ namespace: 'default', limit: 1, continue: page.continue });
      expect([names(next.items), next.continue]).toEqual([['b'], undefined]);
    });

    it('deletes a collection, those selected only', async () => {
      await client(ConfigMap).create(configMap('a', {}, { old: 'yes' }));
      await client(ConfigMap).create(configMap('b'));
      await client(ConfigMap).deleteCollection({ namespace: 'default', labelSelector: 'old=yes' });
      const { items } = await client(ConfigMap).list({ namespace: 'default' });
      expect(items.map((o) => o.metadata.name)).toEqual(['b']);
    });

    it('serves cluster-scoped kinds', async () => {
      const made = await client(Namespace).create({ metadata: { name: 'third' }, spec: {} });
      expect(made.metadata.namespace).toBeUndefined();
      expect((await client(Namespace).get('third')).metadata.uid).toBe(made.metadata.uid);
    });

    it('watches from a list on, in order, with nothing left out', async () => {
      const before = await client(ConfigMap).create(configMap('a', { v: '0' }));
      const { resourceVersion } = await client(ConfigMap).list({ namespace: 'default' });
      await client(ConfigMap).create(configMap('b'));
      const observed = watch({ namespace: 'default', resourceVersion });
      const changed = await client(ConfigMap).update({ ...before, data: { v: 'größer'.repeat(20_000) } });
      await client(ConfigMap).create({ metadata: { name: 'elsewhere', namespace: 'other' } });
      await client(ConfigMap).delete('b', 'default');
      await observed.until(() => observed.told.length >= 3);
      expect(observed.told).toEqual(['ADDED b', 'MODIFIED a', 'DELETED b']);
      const [, modified, deleted] = observed.events.filter((e) => e.type !== 'BOOKMARK') as {
        object: KubeObject;
      }[];
      expect(modified!.object).toEqual(changed);
      // The deletion has a revision of its own, so that a position is never in doubt.
      expect(Number(deleted!.object.metadata.resourceVersion)).toBeGreaterThan(
        Number(changed.metadata.resourceVersion),
      );
    });

    it('watches from nowhere: first everything there is', async () => {
      await client(ConfigMap).create(configMap('a'));
      const observed = watch({ namespace: 'default' });
      await observed.until(() => observed.told.length >= 1);
      await client(ConfigMap).create(configMap('b'));
      await observed.until(() => observed.told.length >= 2);
      expect(observed.told).toEqual(['ADDED a', 'ADDED b']);
    });

    it('shows what enters and leaves a selection as added and deleted', async () => {
      const { resourceVersion } = await client(ConfigMap).list({ namespace: 'default' });
      const observed = watch({ namespace: 'default', labelSelector: 'on=yes', resourceVersion });
      await client(ConfigMap).create(configMap('a'));
      const at = { name: 'a', namespace: 'default' };
      await client(ConfigMap).patch(at, 'merge', { metadata: { labels: { on: 'yes' } } });
      await client(ConfigMap).patch(at, 'merge', { data: { x: '1' } });
      const left = await client(ConfigMap).patch(at, 'merge', { metadata: { labels: { on: 'no' } } });
      await observed.until(() => observed.told.length >= 3);
      expect(observed.told).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
      const last = observed.events.at(-1) as { object: KubeObject };
      expect(last.object.metadata.resourceVersion).toBe(left.metadata.resourceVersion);
    });

    it('ends a watch from lost history with 410, once', async () => {
      const { resourceVersion } = await client(ConfigMap).list({ namespace: 'default' });
      await client(ConfigMap).create(configMap('a'));
      await client(ConfigMap).create(configMap('b'));
      await under.compact();
      const observed = watch({ namespace: 'default', resourceVersion });
      await observed.until(() => observed.ends.length > 0);
      expect(isExpired(observed.ends[0])).toBe(true);
      expect([observed.events, observed.ends.length]).toEqual([[], 1]);
    });

    it('tells what a version of a group has', async () => {
      const { transport } = under;
      const found = await transport.resources({ group: 'apps', version: 'v1' });
      expect(found.find(({ name }) => name === 'deployments')).toMatchObject({
        namespaced: true,
        kind: 'Deployment',
        verbs: expect.arrayContaining(['list', 'deletecollection']),
      });
      await expect(transport.resources({ group: 'nobody.example.com', version: 'v1' })).rejects.toThrow();
    });

    it('says nothing more once the signal has aborted', async () => {
      const observed = watch({ namespace: 'default' });
      await client(ConfigMap).create(configMap('a'));
      await observed.until(() => observed.told.length >= 1);
      observed.stop();
      const other = watch({ namespace: 'default' });
      await client(ConfigMap).create(configMap('b'));
      await other.until(() => other.told.length >= 2);
      expect([observed.told, observed.ends]).toEqual([['ADDED a'], []]);
    });
  });
}
