// Rules of containers of the three kinds: those of the pod, those that initialise it, and those added to debug it.
import {
  checkDns1123Label,
  checkPortName,
  checkPortNumber,
  type FieldAt,
} from '../../../../../machinery/index.ts';
import type { Container, ContainerPort, EphemeralContainer } from '../../../../generated/core-v1.ts';
import { isSidecar } from '../containers.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { probeKinds, validateLifecycle, validateProbe } from './handlers.ts';
import { validateVolumeDevices, validateVolumeMounts } from './mounts.ts';
import { validatePullPolicy } from './pull-policy.ts';
import { validateResizePolicy, validateResources } from './resources.ts';
import { validateRestartRules } from './restart-rules.ts';
import type { PodScope } from './scope.ts';
import { validateSecurityContext } from './security.ts';

/** Reports init containers and ephemeral ones whose names the regular containers already have. */
export function validateAllContainers(scope: PodScope): void {
  const { spec, field } = scope;
  validateContainers(scope, field.child('containers'));
  validateInitContainers(scope, field.child('initContainers'));
  if (spec.ephemeralContainers !== undefined)
    validateEphemeralContainers(spec.ephemeralContainers, scope, field.child('ephemeralContainers'));
}

function validateContainers(scope: PodScope, field: FieldAt): void {
  const containers = scope.spec.containers ?? [];
  if (containers.length === 0) {
    field.required();
    return;
  }
  const names = new Set<string>();
  for (const [i, container] of containers.entries()) {
    const here = field.index(i);
    validateCommon(container, scope, here);
    if (names.has(container.name)) here.child('name').duplicate(container.name);
    names.add(container.name);
    validateRunning(container, scope, here);
    validateRestartRules(container, here);
  }
  validateHostPorts(containers, field);
}

function validateInitContainers(scope: PodScope, field: FieldAt): void {
  const names = new Set((scope.spec.containers ?? []).map((container) => container.name));
  for (const [i, container] of (scope.spec.initContainers ?? []).entries()) {
    const here = field.index(i);
    validateCommon(container, scope, here);
    validateRestartRules(container, here);
    if (names.has(container.name)) here.child('name').duplicate(container.name);
    else if (container.name !== '') names.add(container.name);
    // They run one after another, so only ports within one can collide. The path names the first of the list, as in Kubernetes.
    validateHostPorts([container], field);
    if (isSidecar(container)) validateRunning(container, scope, here);
    else
      for (const name of ['lifecycle', ...probeKinds] as const)
        if (container[name] !== undefined)
          here.child(name).forbidden('may not be set for init containers without restartPolicy=Always');
  }
}

const ephemeralForbidden = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const;

function validateEphemeralContainers(
  list: readonly EphemeralContainer[],
  scope: PodScope,
  field: FieldAt,
): void {
  const others = [...(scope.spec.containers ?? []), ...(scope.spec.initContainers ?? [])].map((c) => c.name);
  const targets = new Set(others);
  const names = new Set(others);
  for (const [i, container] of list.entries()) {
    const here = field.index(i);
    validateCommon(container, scope, here);
    validateImageSpacing(container, here);
    if (names.has(container.name)) here.child('name').duplicate(container.name);
    names.add(container.name);
    const target = container.targetContainerName ?? '';
    if (target !== '' && !targets.has(target)) here.child('targetContainerName').notFound(target);
    for (const name of ephemeralForbidden) {
      const value = container[name];
      const given = name === 'resources' ? Object.keys(value ?? {}).length > 0 : value !== undefined;
      if (given) here.child(name).forbidden('cannot be set for an Ephemeral Container');
    }
    for (const [j, mount] of (container.volumeMounts ?? []).entries())
      for (const name of ['subPath', 'subPathExpr'] as const)
        if ((mount[name] ?? '') !== '')
          here
            .child('volumeMounts')
            .index(j)
            .child(name)
            .forbidden('cannot be set for an Ephemeral Container');
  }
}

/** Spaces around an image name are refused in pods, and tolerated in the templates that once had them. */
export function validateImageSpacing(container: Container, field: FieldAt): void {
  const image = container.image ?? '';
  if (image.trim() !== image)
    field.child('image').invalid(image, 'must not have leading or trailing whitespace');
}

/** What holds for every container, whatever its kind. */
function validateCommon(container: Container, scope: PodScope, field: FieldAt): void {
  field.child('name').requiredText(container.name, checkDns1123Label);
  field.child('image').requiredText(container.image);
  field
    .child('terminationMessagePolicy')
    .requiredOneOf(container.terminationMessagePolicy, ['File', 'FallbackToLogsOnError']);
  validatePorts(container.ports ?? [], field.child('ports'));
  validateEnv(container.env ?? [], field.child('env'));
  validateEnvFrom(container.envFrom ?? [], field.child('envFrom'));
  validateVolumeMounts(container, scope, field.child('volumeMounts'));
  validateVolumeDevices(container, scope, field.child('volumeDevices'));
  validatePullPolicy(container.imagePullPolicy, field.child('imagePullPolicy'));
  validateResources(container.resources ?? {}, scope.claimNames, field.child('resources'));
  validateResizePolicy(container.resizePolicy ?? [], scope.spec.restartPolicy, field.child('resizePolicy'));
  if (container.securityContext !== undefined)
    validateSecurityContext(container.securityContext, scope.spec, field.child('securityContext'));
}

/** What only containers that keep running may have. */
function validateRunning(container: Container, scope: PodScope, field: FieldAt): void {
  const grace = scope.spec.terminationGracePeriodSeconds;
  if (container.lifecycle !== undefined)
    validateLifecycle(container.lifecycle, grace, field.child('lifecycle'));
  for (const kind of probeKinds) {
    const probe = container[kind];
    if (probe !== undefined) validateProbe(probe, kind, field.child(kind));
  }
}

function validatePorts(ports: readonly ContainerPort[], field: FieldAt): void {
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const here = field.index(i);
    const { name = '', containerPort, hostPort = 0 } = port;
    if (name !== '') {
      const found = checkPortName(name);
      here.child('name').refuse(name, found);
      if (found.length === 0) {
        if (names.has(name)) here.child('name').duplicate(name);
        names.add(name);
      }
    }
    if (!containerPort) here.child('containerPort').required();
    else here.child('containerPort').refuse(containerPort, checkPortNumber(containerPort));
    if (hostPort !== 0) here.child('hostPort').refuse(hostPort, checkPortNumber(hostPort));
    here.child('protocol').requiredOneOf(port.protocol, ['SCTP', 'TCP', 'UDP']);
  }
}

function validateHostPorts(containers: readonly Container[], field: FieldAt): void {
  const taken = new Set<string>();
  for (const [i, container] of containers.entries())
    for (const [j, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue;
      const key = `${port.protocol ?? ''}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) field.index(i).child('ports').index(j).child('hostPort').duplicate(key);
      taken.add(key);
    }
}
