// Claims on devices: makes those that pods get from templates, takes pods out that are done, gives devices back that nobody uses, and
// lets go what was kept for them. As in kube-controller-manager two sorts of keys share one queue: claims by `namespace/name`, and pods
// that have claims with a prefix; pods without cost nothing.
import {
  consumerReference,
  deviceClaimsOf,
  deviceFinalizer,
  Pod,
  ResourceClaim,
  ResourceClaimTemplate,
} from '../../api/index.ts';
import { isNotFound, keyOf, semanticEqual } from '../../machinery/index.ts';
import { type Controller, type ControllerContext, defineController, maps } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { finalizersPatch, withoutFinalizer } from '../protection.ts';
import { isPodConsumer, isPodDone, ownerOf, planClaim, stillUses } from './claim-plan.ts';
import { planPodClaims } from './pod-plan.ts';

const podPrefix = 'pod:';
const podsByDeviceClaim = 'byDeviceClaim';
const podsByDeviceTemplate = 'byDeviceTemplate';
const claimsByController = 'byController';

const templatesOf = ({ metadata, spec }: Pod): readonly string[] =>
  (spec.resourceClaims ?? []).flatMap(({ resourceClaimTemplateName: name }) =>
    name === undefined ? [] : [`${metadata.namespace}/${name}`],
  );

const hasClaims = ({ spec }: Pod): boolean => (spec.resourceClaims ?? []).length > 0;
const podKey = (pod: Pod): string => podPrefix + keyOf(pod);

export const resourceClaimController: Controller = defineController({
  name: 'resource-claim',
  component: 'resource_claim',
  reconciles: ResourceClaim,
  watches: [
    maps(Pod, (pod) => (hasClaims(pod) ? [podKey(pod), ...deviceClaimsOf(pod)] : []), {
      when: (old, pod) =>
        hasClaims(pod) &&
        (isPodDone(old) !== isPodDone(pod) ||
          old.spec.nodeName !== pod.spec.nodeName ||
          old.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp ||
          !semanticEqual(old.status?.resourceClaimStatuses, pod.status?.resourceClaimStatuses)),
    }),
    maps(ResourceClaim, (claim, lister) => lister(Pod).byIndex(podsByDeviceClaim, keyOf(claim)).map(podKey)),
    maps(ResourceClaimTemplate, (template, lister) =>
      lister(Pod).byIndex(podsByDeviceTemplate, keyOf(template)).map(podKey),
    ),
  ],
  concurrency: 50,

  build(context) {
    const pods = context.informer(Pod);
    pods.addIndex(podsByDeviceClaim, deviceClaimsOf);
    pods.addIndex(podsByDeviceTemplate, templatesOf);
    const claims = context.informer(ResourceClaim);
    claims.addIndex(claimsByController, (claim) => {
      const owner = ownerOf(claim);
      return owner === undefined ? [] : [owner.uid];
    });
    const syncPod = podSync(context);
    const syncClaim = claimSync(context);
    return (key, signal) =>
      key.startsWith(podPrefix) ? syncPod(key.slice(podPrefix.length), signal) : syncClaim(key, signal);
  },
});

type Sync = (key: string, signal: AbortSignal) => Promise<void>;

function podSync({ lister, client, event }: ControllerContext): Sync {
  const pods = lister(Pod);
  const claims = lister(ResourceClaim);
  const templates = lister(ResourceClaimTemplate);

  return async (key, signal) => {
    const pod = pods.get(key);
    if (pod === undefined || isPodDone(pod)) return;
    const { name, namespace, uid } = pod.metadata;
    const plan = planPodClaims(pod, {
      claim: (of) => claims.get(`${namespace}/${of}`),
      template: (of) => templates.get(`${namespace}/${of}`),
      owned: claims.byIndex(claimsByController, uid),
    });
    const fail = (entry: string, what: string): Error => {
      const message = `PodResourceClaim ${entry}: ${what}`;
      event(pod, 'Warning', 'FailedResourceClaimCreation', message);
      return new Error(`pod ${key}, ${message}`);
    };
    const made: { readonly name: string; readonly resourceClaimName: string }[] = [];
    let failure: Error | undefined;
    for (const step of plan.steps) {
      signal.throwIfAborted();
      if ('note' in step) made.push({ name: step.entry, resourceClaimName: step.note });
      else if ('failure' in step) failure = fail(step.entry, step.failure);
      else
        try {
          const claim = await client(ResourceClaim).create(step.create);
          made.push({ name: step.entry, resourceClaimName: claim.metadata.name });
        } catch (error) {
          if (isNamespaceEnding(error)) return;
          failure = fail(step.entry, `create ResourceClaim : ${(error as Error).message}`);
          break;
        }
    }
    if (made.length > 0) {
      signal.throwIfAborted();
      await client(Pod)
        .patch({ name, namespace, subresource: 'status' }, 'strategic', {
          metadata: { uid },
          status: { resourceClaimStatuses: made },
        })
        .catch(ignoreGone);
    }
    for (const claim of plan.reserve) {
      signal.throwIfAborted();
      const reservedFor = [...(claim.status?.reservedFor ?? []), consumerReference(pod)];
      await client(ResourceClaim).updateStatus({ ...claim, status: { ...claim.status, reservedFor } });
    }
    if (failure !== undefined) throw failure;
  };
}

function claimSync({ lister, client, log }: ControllerContext): Sync {
  const pods = lister(Pod);
  const claims = lister(ResourceClaim);

  /** A consumer that the cache does not show may be younger than it: the server is asked before it is taken out. */
  const podOf = async (consumer: { name: string; uid: string }, namespace: string) => {
    const known = pods.get(`${namespace}/${consumer.name}`);
    if (known?.metadata.uid === consumer.uid) return known;
    try {
      return await client(Pod).get(consumer.name, namespace);
    } catch (error) {
      ignoreGone(error);
      return undefined;
    }
  };

  return async (key, signal) => {
    const claim = claims.get(key);
    if (claim === undefined) return;
    const { name, namespace = '' } = claim.metadata;
    const users = [];
    for (const consumer of claim.status?.reservedFor ?? []) {
      if (!isPodConsumer(consumer))
        throw new Error(`unsupported ReservedFor entry: ${JSON.stringify(consumer)}`);
      if (stillUses(consumer, await podOf(consumer, namespace))) users.push(consumer);
    }
    const owner = ownerOf(claim);
    const plan = planClaim(claim, {
      users,
      owner: owner && pods.get(`${namespace}/${owner.name}`),
    });
    signal.throwIfAborted();
    let now = claim;
    if (plan.status !== undefined)
      now = await client(ResourceClaim).updateStatus({ ...now, status: plan.status });
    if (plan.dropFinalizer) {
      signal.throwIfAborted();
      await client(ResourceClaim)
        .patch({ name, namespace }, 'merge', finalizersPatch(now, withoutFinalizer(now, deviceFinalizer)))
        .catch(ignoreGone);
    }
    if (!plan.delete) return;
    signal.throwIfAborted();
    await client(ResourceClaim)
      .delete(name, namespace, { preconditions: { uid: claim.metadata.uid } })
      .catch(ignoreGone);
    log.info('deleted the claim of a pod that has ended', { claim: key });
  };
}

function ignoreGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
