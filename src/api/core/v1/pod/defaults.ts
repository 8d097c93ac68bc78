// What kube-apiserver fills into pods and pod templates. A template gets the defaults of every pod spec; what only a real pod
// gets (requests from limits, host ports, enableServiceLinks) is in defaultPod, so that templates keep what was written.
import type {
  Container,
  LifecycleHandler,
  Pod,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
  Probe,
  ResourceRequirements,
} from '../../../generated/core-v1.ts';
import { placedContainers } from './containers.ts';
import { defaultFieldRef, defaultVolume } from './default-volumes.ts';
import { defaultPullPolicy } from './image.ts';
import { defaultPodLevelResources } from './pod-level-resources.ts';
import { roundUpToMilli } from './quantities.ts';

/** Mutates; idempotent. */
export function defaultPod(pod: Pod): void {
  const { spec } = pod;
  if (spec === undefined) return;
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    requestWhatIsLimited(container.resources);
    if (spec.hostNetwork === true) openHostPorts(container);
  }
  defaultPodLevelResources(spec);
  spec.enableServiceLinks ??= true;
  defaultPodSpec(spec);
  if (pod.status !== undefined) alignPodIps(pod.status);
}

/** On the host's network every port is one of the host. */
function openHostPorts(container: Container): void {
  for (const port of container.ports ?? []) if (port.containerPort) port.hostPort ||= port.containerPort;
}

/** The template of a workload. Mutates; idempotent. Does nothing when there is none. */
export function defaultPodTemplate(template: PodTemplateSpec | undefined): void {
  if (template?.spec !== undefined) defaultPodSpec(template.spec);
}

function defaultPodSpec(spec: PodSpec): void {
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.restartPolicy ||= 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ||= 'default-scheduler';
  alignServiceAccount(spec);
  for (const volume of spec.volumes ?? []) {
    defaultVolume(volume);
    roundAll(volume.ephemeral?.volumeClaimTemplate?.spec.resources);
  }
  for (const { container } of placedContainers(spec, '')) defaultContainer(container);
  roundAll(spec.resources);
  roundUp(spec.overhead);
}

/** `serviceAccount` is the old name of `serviceAccountName`; both are always written. The new one wins. */
export function alignServiceAccount(spec: PodSpec): void {
  spec.serviceAccountName ||= spec.serviceAccount;
  if (spec.serviceAccountName === undefined || spec.serviceAccountName === '') {
    delete spec.serviceAccountName;
    delete spec.serviceAccount;
  } else spec.serviceAccount = spec.serviceAccountName;
}

/** `podIP` is the first of `podIPs`. When both are given and differ, the single one is believed. */
function alignPodIps(status: PodStatus): void {
  const first = status.podIPs?.[0]?.ip;
  if (status.podIP !== undefined && status.podIP !== '') {
    if (first !== status.podIP) status.podIPs = [{ ip: status.podIP }];
  } else if (first !== undefined && first !== '') status.podIP = first;
}

function defaultContainer(container: Container): void {
  container.imagePullPolicy ||= defaultPullPolicy(container.image);
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  for (const port of container.ports ?? []) port.protocol ||= 'TCP';
  for (const env of container.env ?? []) defaultFieldRef(env.valueFrom?.fieldRef);
  defaultProbe(container.livenessProbe);
  defaultProbe(container.readinessProbe);
  defaultProbe(container.startupProbe);
  defaultHttpGet(container.lifecycle?.postStart);
  defaultHttpGet(container.lifecycle?.preStop);
  container.resources ??= {};
  roundAll(container.resources);
}

function defaultProbe(probe: Probe | undefined): void {
  if (probe === undefined) return;
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.grpc !== undefined) probe.grpc.service ??= '';
  defaultHttpGet(probe);
}

function defaultHttpGet(handler: Pick<LifecycleHandler, 'httpGet'> | undefined): void {
  const action = handler?.httpGet;
  if (action === undefined) return;
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

function requestWhatIsLimited(resources: ResourceRequirements | undefined): void {
  if (resources?.limits === undefined) return;
  for (const [name, limit] of Object.entries(resources.limits)) {
    resources.requests ??= {};
    resources.requests[name] ??= limit;
  }
}

function roundAll(resources: Pick<ResourceRequirements, 'limits' | 'requests'> | undefined): void {
  roundUp(resources?.limits);
  roundUp(resources?.requests);
}

/** Resources are counted in thousandths; finer amounts are rounded up. */
function roundUp(list: Record<string, string> | undefined): void {
  if (list === undefined) return;
  for (const name of Object.keys(list)) list[name] = roundUpToMilli(list[name]!);
}
