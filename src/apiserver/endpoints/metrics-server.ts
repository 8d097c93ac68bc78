// What an API server is and holds, as metrics that are looked up when somebody reads them.
import type { MetricRegistry } from '../../base/index.ts';
import type { Store } from '../../storage/index.ts';
import type { KindTable } from '../registry/kind-table.ts';

/** How many objects there are, counted when somebody looks. */
export function showStore(registry: MetricRegistry, store: Store, kinds: KindTable): void {
  const objects = registry.gauge({
    name: 'apiserver_resource_objects',
    help: 'Stored objects.',
    labels: ['group', 'resource'],
  });
  const objectsOfOld = registry.gauge({
    name: 'apiserver_storage_objects',
    help: 'Stored objects, as before apiserver_resource_objects.',
    labels: ['resource'],
  });
  const revisions = registry.gauge({
    name: 'apiserver_watch_cache_resource_version',
    help: 'The revision up to which the objects in memory are known; one for all resources here.',
    labels: ['group', 'resource'],
  });
  registry.onRead(() => {
    for (const family of [objects, objectsOfOld, revisions]) family.clear();
    const seen = new Set<string>();
    for (const { group, plural, storagePrefix } of kinds.all) {
      // Versions, and groups that share their objects, are counted once.
      if (seen.has(storagePrefix)) continue;
      seen.add(storagePrefix);
      const count = store.count(storagePrefix);
      objects.of(group, plural).set(count);
      objectsOfOld.of(group === '' ? plural : `${plural}.${group}`).set(count);
      revisions.of(group, plural).set(store.revision);
    }
  });
}
