// The order of admission. Adding a plugin = its file and one line here; its needs are constructor arguments.
import type { Clock, Log, MetricRegistry, Random } from '../../base/index.ts';
import type { KindDef } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import type { Authorize } from '../auth/authorize.ts';
import { rbacEscalation } from '../auth/rbac/escalation.ts';
import type { KindTable } from '../registry/kind-table.ts';
import { type AdmissionChain, createChain } from './admission.ts';
import { AdmissionMetrics } from './admission-metrics.ts';
import { certificateRequester } from './certificate-requester.ts';
import { certificateSigners } from './certificate-signers.ts';
import { claimResize } from './claim-resize.ts';
import { defaultIngressClass } from './default-ingress-class.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerations } from './default-tolerations.ts';
import { deviceAdminAccess } from './device-admin-access.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { podSecurity } from './pod-security/pod-security.ts';
import { validatingPolicies } from './policies/policies.ts';
import { priority } from './priority.ts';
import { QuotaLedger } from './resource-quota/ledger.ts';
import { resourceQuota } from './resource-quota/resource-quota.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { storageObjectInUseProtection } from './storage-object-in-use-protection.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';
import { mutatingWebhooks, validatingWebhooks } from './webhooks/webhooks.ts';

export interface AdmissionOptions {
  /** Until the server has made what every cluster starts with. */
  readonly isStarting: () => boolean;
  readonly authorize: Authorize;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  /** Those that are served now. */
  readonly kinds: KindTable;
  readonly namespaces: KindDef;
  readonly priorityClasses: KindDef;
  readonly defaultNotReadyTolerationSeconds: number;
  readonly defaultUnreachableTolerationSeconds: number;
}

export const admissionChain = (options: AdmissionOptions): AdmissionChain =>
  createChain(new AdmissionMetrics(options.metrics, options.clock), [
    namespaceLifecycle(options.store, options.namespaces),
    limitRanger(options.store),
    nodeRestriction(options.store),
    taintNodesByCondition,
    serviceAccount(options.store, options.random),
    certificateRequester,
    certificateSigners(options.authorize),
    priority(options.store, options.priorityClasses),
    defaultTolerations({
      notReady: options.defaultNotReadyTolerationSeconds,
      unreachable: options.defaultUnreachableTolerationSeconds,
    }),
    defaultStorageClass(options.store),
    defaultIngressClass(options.store),
    runtimeClass(options.store),
    storageObjectInUseProtection,
    claimResize(options.store),
    deviceAdminAccess(options.store),
    podSecurity(options.store),
    mutatingWebhooks(options),
    // After all that may change a write.
    rbacEscalation(options),
    validatingPolicies(options),
    validatingWebhooks(options),
    resourceQuota(new QuotaLedger(options)),
  ]);
