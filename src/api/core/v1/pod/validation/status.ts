// Rules of the status that nodes and controllers report.
import {
  type Causes,
  checkDns1123Subdomain,
  checkIp,
  checkQualifiedName,
  FieldAt,
  immutableMessage,
  parseIp,
} from '../../../../../machinery/index.ts';
import type { ContainerStatus, Pod, PodStatus } from '../../../../generated/core-v1.ts';
import { isSidecar } from '../containers.ts';
import { validateAnnotationUpdate, validatePodAnnotations } from './annotations.ts';

const ownConditions = ['PodScheduled', 'Ready', 'Initialized'];

export function validatePodStatus(pod: Pod, old: Pod, causes: Causes): void {
  const annotations = new FieldAt('metadata.annotations', causes);
  validateAnnotationUpdate(pod.metadata, old.metadata, annotations);
  validatePodAnnotations(pod.metadata, pod.spec, annotations);

  const status = pod.status ?? {};
  const before = old.status ?? {};
  // Kubernetes places these conditions in the metadata, and so do its messages.
  const conditions = new FieldAt('metadata.conditions', causes);
  for (const [i, { type }] of (status.conditions ?? []).entries())
    if (!ownConditions.includes(type))
      conditions.index(i).child('Type').refuse(type, checkQualifiedName(type));

  const field = new FieldAt('status', causes);
  if (pod.spec.nodeName !== old.spec.nodeName)
    field.child('nodeName').forbidden('may not be changed directly');
  const nominated = status.nominatedNodeName;
  if (nominated && nominated !== before.nominatedNodeName)
    field.child('nominatedNodeName').refuse(nominated, checkDns1123Subdomain(nominated));
  // A report without it keeps the one the pod was made with.
  if (status.qosClass && status.qosClass !== (before.qosClass ?? ''))
    field.child('qosClass').invalid(status.qosClass, immutableMessage);
  validateTransitions(pod, old, field);
  validateClaimStatuses(pod, field.child('resourceClaimStatuses'));
  validateIps(
    (status.podIPs ?? []).map(({ ip }) => ip ?? ''),
    field.child('podIPs'),
  );
  validateHostIps(status, field.child('hostIPs'));
}

/** A container that ended for good does not come back. */
function validateTransitions(pod: Pod, old: Pod, field: FieldAt): void {
  const { restartPolicy, initContainers, containers } = old.spec;
  const sidecars = new Set((initContainers ?? []).filter(isSidecar).map((container) => container.name));
  /** Containers with a policy of their own are judged by it, or by its rules, which their node knows. */
  const ownPolicy = new Set(
    [...(initContainers ?? []), ...(containers ?? [])]
      .filter((container) => container.restartPolicy !== undefined)
      .map((container) => container.name),
  );
  for (const name of ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const) {
    const policy = name === 'ephemeralContainerStatuses' ? 'Never' : restartPolicy;
    if (policy === 'Always') continue;
    const now = new Map((pod.status?.[name] ?? []).map((status) => [status.name, status]));
    for (const [i, status] of (old.status?.[name] ?? []).entries()) {
      if (status.state?.terminated === undefined) continue;
      if (status.state.terminated.exitCode !== 0 && policy === 'OnFailure') continue;
      if (name !== 'ephemeralContainerStatuses' && (sidecars.has(status.name) || ownPolicy.has(status.name)))
        continue;
      const next: ContainerStatus | undefined = now.get(status.name);
      if (next !== undefined && next.state?.terminated === undefined)
        field
          .child(name)
          .index(i)
          .child('state')
          .forbidden('may not be transitioned to non-terminated state');
    }
  }
}

function validateClaimStatuses(pod: Pod, field: FieldAt): void {
  const known = new Set((pod.spec.resourceClaims ?? []).map((claim) => claim.name));
  const seen = new Set<string>();
  for (const [i, claim] of (pod.status?.resourceClaimStatuses ?? []).entries()) {
    const name = field.index(i).child('name');
    if (!known.has(claim.name))
      name.invalid(claim.name, 'must match the name of an entry in `spec.resourceClaims`');
    if (seen.has(claim.name)) name.duplicate(claim.name);
    seen.add(claim.name);
    if (claim.resourceClaimName !== undefined)
      name.refuse(claim.resourceClaimName, checkDns1123Subdomain(claim.resourceClaimName));
  }
}

function validateHostIps(status: PodStatus, field: FieldAt): void {
  const ips = (status.hostIPs ?? []).map(({ ip }) => ip ?? '');
  if (ips.length > 0 && status.hostIP !== ips[0])
    field.index(0).child('ip').invalid(ips[0], 'must be equal to `hostIP`');
  validateIps(ips, field);
}

/** At most one address of each family. */
function validateIps(ips: readonly string[], field: FieldAt): void {
  for (const [i, ip] of ips.entries()) field.index(i).refuse(ip, checkIp(ip));
  if (ips.length < 2) return;
  const families = new Set(ips.map((ip) => parseIp(ip)?.family));
  if (families.size < 2 || ips.length > 2)
    field.invalid(
      ips.map((ip) => ({ ip })),
      'may specify no more than one IP for each IP family',
    );
  for (const [i, ip] of ips.entries()) if (ips.indexOf(ip) !== i) field.index(i).duplicate({ ip });
}
