// Rules of what is run against a container: probes and lifecycle hooks.
import {
  checkHttpHeaderName,
  checkPortName,
  checkPortNumber,
  type FieldAt,
} from '../../../../../machinery/index.ts';
import type { HTTPGetAction, Lifecycle, LifecycleHandler, Probe } from '../../../../generated/core-v1.ts';

/** Of a pod: how long its containers may take to stop. */
type Grace = number | undefined;

export type ProbeKind = 'livenessProbe' | 'readinessProbe' | 'startupProbe';
export const probeKinds: readonly ProbeKind[] = ['livenessProbe', 'readinessProbe', 'startupProbe'];

export function validateProbe(probe: Probe, kind: ProbeKind, field: FieldAt): void {
  validateHandler(probe, undefined, field);
  field.child('initialDelaySeconds').notNegative(probe.initialDelaySeconds);
  field.child('timeoutSeconds').notNegative(probe.timeoutSeconds);
  field.child('periodSeconds').notNegative(probe.periodSeconds);
  field.child('successThreshold').notNegative(probe.successThreshold);
  field.child('failureThreshold').notNegative(probe.failureThreshold);
  const grace = probe.terminationGracePeriodSeconds;
  const graceField = field.child('terminationGracePeriodSeconds');
  if (grace !== undefined && grace <= 0) graceField.invalid(grace, 'must be greater than 0');
  if (kind === 'readinessProbe') {
    if (grace !== undefined) graceField.invalid(grace, 'must not be set for readinessProbes');
  } else if (probe.successThreshold !== 1)
    field.child('successThreshold').invalid(probe.successThreshold ?? 0, 'must be 1');
}

export function validateLifecycle(lifecycle: Lifecycle, grace: Grace, field: FieldAt): void {
  if (lifecycle.postStart !== undefined)
    validateHandler(lifecycle.postStart, grace, field.child('postStart'));
  if (lifecycle.preStop !== undefined) validateHandler(lifecycle.preStop, grace, field.child('preStop'));
}

type Handler = Pick<Probe, 'grpc'> & LifecycleHandler;

/** The first handler that is there is the one; further ones are refused. */
function validateHandler(handler: Handler, grace: Grace, field: FieldAt): void {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  const given: [string, (field: FieldAt) => void][] = [];
  if (exec !== undefined)
    given.push(['exec', (f) => void ((exec.command ?? []).length === 0 && f.child('command').required())]);
  if (httpGet !== undefined) given.push(['httpGet', (f) => validateHttpGet(httpGet, f)]);
  if (tcpSocket !== undefined)
    given.push(['tcpSocket', (f) => validatePort(tcpSocket.port, f.child('port'))]);
  if (grpc !== undefined) given.push(['grpc', (f) => validatePort(grpc.port, f.child('port'))]);
  if (sleep !== undefined) given.push(['sleep', (f) => validateSleep(sleep.seconds, grace, f)]);
  if (given.length === 0) {
    field.required('must specify a handler type');
    return;
  }
  const [first, ...more] = given as [[string, (field: FieldAt) => void], ...[string, unknown][]];
  first[1](field.child(first[0]));
  for (const [name] of more) field.child(name).forbidden('may not specify more than 1 handler type');
}

function validateSleep(seconds: number, grace: Grace, field: FieldAt): void {
  if (grace !== undefined && (seconds < 0 || seconds > grace))
    field.invalid(seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`);
}

function validateHttpGet(action: HTTPGetAction, field: FieldAt): void {
  field.child('path').requiredText(action.path);
  validatePort(action.port, field.child('port'));
  field.child('scheme').oneOf(action.scheme ?? '', ['HTTP', 'HTTPS']);
  for (const header of action.httpHeaders ?? [])
    field.child('httpHeaders').refuse(header.name, checkHttpHeaderName(header.name));
}

/** A number, or the name of one of the container's ports. */
export function validatePort(port: number | string, field: FieldAt): void {
  field.refuse(port, typeof port === 'number' ? checkPortNumber(port) : checkPortName(port));
}
