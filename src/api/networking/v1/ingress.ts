// Ingress: how requests from outside reach services.
import {
  type Causes,
  checkDns1035Label,
  checkDns1123Subdomain,
  checkIp,
  checkPathSegment,
  checkPortName,
  checkPortNumber,
  checkWildcardDns1123Subdomain,
  defineKind,
  FieldAt,
  parseIp,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type { TypedLocalObjectReference } from '../../generated/core-v1.ts';
import type {
  HTTPIngressPath,
  IngressBackend,
  Ingress as IngressObject,
  IngressRule,
  IngressSpec,
} from '../../generated/networking-v1.ts';
import { shape } from '../../shape.ts';

export type Ingress = IngressObject;

/** The annotation that named the class before there was a field for it. */
export const ingressClassAnnotation = 'kubernetes.io/ingress.class';

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const wrongSequences = ['//', '/./', '/../', '%2f', '%2F'];
const wrongEndings = ['/..', '/.'];

function hostsText(rules: readonly IngressRule[]): string {
  const hosts = rules.flatMap(({ host = '' }) => (host === '' ? [] : [host]));
  if (hosts.length === 0) return '*';
  const shown = hosts.slice(0, 3).join(',');
  // Kubernetes counts what is left by rules, also those without a host
  return rules.length > 3 && hosts.length >= 3 ? `${shown} + ${rules.length - 3} more...` : shown;
}

function addressText({ status }: IngressObject): string {
  const found = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '', hostname = '' }) =>
    ip !== '' ? [ip] : hostname === '' ? [] : [hostname],
  );
  return [...new Set(found)].sort().join(',');
}

export const Ingress = defineKind<IngressObject>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['ing'],
  scope: 'Namespaced',
  schema: shape('networking.v1.Ingress'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('Class', 'Its class.', ({ spec }) => spec?.ingressClassName ?? '<none>'),
    textColumn('Hosts', 'The hosts of its rules.', ({ spec }) => hostsText(spec?.rules ?? [])),
    textColumn('Address', 'Where it can be reached.', addressText),
    textColumn('Ports', 'The ports that are open.', ({ spec }) =>
      (spec?.tls?.length ?? 0) > 0 ? '80, 443' : '80',
    ),
    ageColumn,
  ],

  validate(ingress, old, causes) {
    validateSpec(ingress.spec, old?.spec, new FieldAt('spec', causes));
    if (old === undefined) validateClassAnnotation(ingress, causes);
  },

  validateStatus({ status }, _old, causes) {
    const field = new FieldAt('status', causes).child('loadBalancer', 'ingress');
    for (const [i, { ip, hostname }] of (status?.loadBalancer?.ingress ?? []).entries()) {
      const here = field.index(i);
      if (ip) here.child('ip').refuse(ip, checkIp(ip));
      if (!hostname) continue;
      here.child('hostname').refuse(hostname, checkDns1123Subdomain(hostname));
      if (parseIp(hostname) !== undefined)
        here.child('hostname').invalid(hostname, 'must be a DNS name, not an IP address');
    }
  },

  warn: ({ metadata }, old) =>
    old === undefined && metadata.annotations?.[ingressClassAnnotation] !== undefined
      ? [
          `annotation ${JSON.stringify(ingressClassAnnotation)} is deprecated, please use 'spec.ingressClassName' instead`,
        ]
      : [],
});

function validateClassAnnotation({ metadata, spec }: IngressObject, causes: Causes): void {
  const named = metadata.annotations?.[ingressClassAnnotation];
  if (named !== undefined && spec.ingressClassName !== undefined && named !== spec.ingressClassName)
    causes.invalid(
      `annotations.${ingressClassAnnotation}`,
      named,
      'must match `ingressClassName` when both are specified',
    );
}

function validateSpec(spec: IngressSpec, old: IngressSpec | undefined, field: FieldAt): void {
  const { rules = [], defaultBackend, tls = [], ingressClassName } = spec;
  if (rules.length === 0 && defaultBackend === undefined)
    field.invalid(spec.rules ?? null, 'either `defaultBackend` or `rules` must be specified');
  if (defaultBackend !== undefined) validateBackend(defaultBackend, field.child('defaultBackend'));
  for (const [i, rule] of rules.entries()) validateRule(rule, field.child('rules').index(i));
  // a name that was wrong before may stay
  const secretNamesChecked = (old?.tls ?? []).every(({ secretName = '' }) => isSecretName(secretName));
  for (const [i, { hosts = [], secretName = '' }] of tls.entries()) {
    const here = field.child('tls').index(i);
    for (const [j, host] of hosts.entries()) here.child('hosts').index(j).refuse(host, checkHost(host));
    if (secretNamesChecked && secretName !== '')
      here.child('secretName').refuse(secretName, checkDns1123Subdomain(secretName));
  }
  if (ingressClassName !== undefined)
    field.child('ingressClassName').refuse(ingressClassName, checkDns1123Subdomain(ingressClassName));
}

const isSecretName = (name: string): boolean => name === '' || checkDns1123Subdomain(name).length === 0;

const checkHost = (host: string): readonly string[] =>
  host.includes('*') ? checkWildcardDns1123Subdomain(host) : checkDns1123Subdomain(host);

function validateRule({ host = '', http }: IngressRule, field: FieldAt): void {
  if (host !== '') {
    if (parseIp(host) !== undefined)
      field.child('host').invalid(host, 'must be a DNS name, not an IP address');
    field.child('host').refuse(host, checkHost(host));
  }
  if (http === undefined) return;
  const paths = http.paths ?? [];
  const here = field.child('http', 'paths');
  if (paths.length === 0) here.required();
  for (const [i, path] of paths.entries()) validatePath(path, here.index(i));
}

function validatePath({ path = '', pathType, backend }: HTTPIngressPath, field: FieldAt): void {
  const here = field.child('path');
  switch (pathType) {
    case undefined:
      field.child('pathType').required('pathType must be specified');
      return;
    case 'Exact':
    case 'Prefix':
      if (!path.startsWith('/')) here.invalid(path, 'must be an absolute path');
      for (const sequence of wrongSequences)
        if (path.includes(sequence)) here.invalid(path, `must not contain '${sequence}'`);
      for (const ending of wrongEndings)
        if (path.endsWith(ending)) here.invalid(path, `cannot end with '${ending}'`);
      break;
    case 'ImplementationSpecific':
      if (path !== '' && !path.startsWith('/')) here.invalid(path, 'must be an absolute path');
      break;
    default:
      field.child('pathType').notSupported(pathType, pathTypes);
  }
  validateBackend(backend ?? {}, field.child('backend'));
}

function validateBackend({ resource, service }: IngressBackend, field: FieldAt): void {
  if (resource !== undefined && service !== undefined)
    field.invalid('', 'cannot set both resource and service backends');
  else if (resource !== undefined) validateTypedReference(resource, field.child('resource'));
  else if (service === undefined) field.invalid('', 'resource or service backend is required');
  else {
    field.child('service', 'name').requiredText(service.name, checkDns1035Label);
    const { name = '', number = 0 } = service.port ?? {};
    const port = field.child('service', 'port');
    if (name !== '' && number !== 0) field.invalid('', 'cannot set both port name & port number');
    else if (name !== '') port.child('name').refuse(name, checkPortName(name));
    else if (number !== 0) port.child('number').refuse(number, checkPortNumber(number));
    else field.required('port name or number is required');
  }
}

function validateTypedReference(reference: TypedLocalObjectReference, field: FieldAt): void {
  if (reference.apiGroup != null)
    field.child('apiGroup').refuse(reference.apiGroup, checkDns1123Subdomain(reference.apiGroup));
  field.child('kind').requiredText(reference.kind, checkPathSegment);
  field.child('name').requiredText(reference.name, checkPathSegment);
}
