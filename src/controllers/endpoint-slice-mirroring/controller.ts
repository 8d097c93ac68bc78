// EndpointSlice mirroring: who writes Endpoints for a service without a selector is heard by those who read slices.
import { EndpointSlice, Endpoints, managedByLabel, Service, serviceNameLabel } from '../../api/index.ts';
import { isNotFound, keyOf } from '../../machinery/index.ts';
import { defineController, maps } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { managedByUs, maxPerSubset, planMirror } from './plan.ts';

const skipLabel = 'endpointslice.kubernetes.io/skip-mirror';
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader';

const isMirrored = ({ metadata }: Endpoints): boolean =>
  metadata.labels?.[skipLabel] !== 'true' && metadata.annotations?.[leaderAnnotation] === undefined;

const endpointsKeys = ({ metadata }: EndpointSlice): string[] =>
  metadata.labels?.[managedByLabel] === managedByUs
    ? [`${metadata.namespace}/${metadata.labels[serviceNameLabel]}`]
    : [];

export const endpointSliceMirroringController = defineController({
  name: 'endpoint-slice-mirroring',
  reconciles: Endpoints,
  watches: [
    maps(Service, (service) => [keyOf(service)], {
      when: (old, service) => (old.spec.selector === undefined) !== (service.spec.selector === undefined),
    }),
    maps(EndpointSlice, endpointsKeys),
  ],
  concurrency: 5,

  build({ lister, informer, client, event }) {
    const all = lister(Endpoints);
    const services = lister(Service);
    const slices = informer(EndpointSlice);
    slices.addIndex('mirrorsOf', endpointsKeys);

    /** The Endpoints of the key when they are to be mirrored. */
    function source(key: string): Endpoints | undefined {
      const found = all.get(key);
      const service = services.get(key);
      if (found === undefined || !isMirrored(found) || service === undefined) return undefined;
      return Object.keys(service.spec.selector ?? {}).length > 0 ? undefined : found;
    }

    return async function reconcile(key, signal) {
      const endpoints = source(key);
      const present = slices
        .byIndex('mirrorsOf', key)
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const plan = planMirror(endpoints, present);
      if (endpoints !== undefined) warn(endpoints, plan);
      if (endpoints?.metadata.deletionTimestamp === undefined)
        for (const draft of plan.create) {
          signal.throwIfAborted();
          try {
            await client(EndpointSlice).create(draft);
          } catch (error) {
            if (!isNamespaceEnding(error)) throw error;
            return;
          }
        }
      for (const slice of plan.update) {
        signal.throwIfAborted();
        await client(EndpointSlice).update(slice);
      }
      for (const { metadata } of plan.remove) {
        signal.throwIfAborted();
        try {
          await client(EndpointSlice).delete(metadata.name, metadata.namespace, {
            preconditions: { uid: metadata.uid },
          });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
    };

    function warn(endpoints: Endpoints, { invalid, skipped }: { invalid: number; skipped: number }): void {
      if (invalid > 0)
        event(
          endpoints,
          'Warning',
          'InvalidIPAddress',
          `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`,
        );
      if (skipped > 0)
        event(
          endpoints,
          'Warning',
          'TooManyAddressesToMirror',
          `A max of ${maxPerSubset} addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped + invalid} addresses were skipped`,
        );
    }
  },
});
