// IngressClass: which controller serves an ingress.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkDomainPrefixedPath,
  checkPathSegment,
  defineKind,
  FieldAt,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type {
  IngressClass as IngressClassObject,
  IngressClassParametersReference,
} from '../../generated/networking-v1.ts';
import { shape } from '../../shape.ts';
import { type Ingress, ingressClassAnnotation } from './ingress.ts';

export type IngressClass = IngressClassObject;

/** What the class of ingresses that nodes serve by themselves names as its controller. */
export const ownIngressController = 'jotasu.dev/ingress';
export const defaultIngressClassAnnotation = 'ingressclass.kubernetes.io/is-default-class';
/** On nodes that answer for ingresses: `true`. */
export const servesIngressAnnotation = 'ingress.jotasu.dev/serves';

/** The names of the classes that are served by nodes. */
export const ownIngressClasses = (classes: readonly IngressClass[]): ReadonlySet<string> =>
  new Set(
    classes.flatMap(({ metadata, spec }) =>
      spec?.controller === ownIngressController ? [metadata.name] : [],
    ),
  );

/** The field, or else the annotation that came before it; undefined = none, which is nobody's. */
export const ingressClassOf = ({ metadata, spec }: Ingress): string | undefined =>
  spec?.ingressClassName ?? metadata.annotations?.[ingressClassAnnotation];

const maxControllerBytes = 250;

export const IngressClass = defineKind<IngressClassObject>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  scope: 'Cluster',
  schema: shape('networking.v1.IngressClass'),
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('Controller', 'Who serves its ingresses.', ({ spec }) => spec?.controller ?? ''),
    textColumn('Parameters', 'Where its controller finds more.', ({ spec }) => {
      const parameters = spec?.parameters;
      if (parameters === undefined) return '<none>';
      const group = parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`;
      return `${parameters.kind ?? ''}${group}/${parameters.name ?? ''}`;
    }),
    ageColumn,
  ],
  defaults({ spec }) {
    if (spec.parameters !== undefined) spec.parameters.scope ??= 'Cluster';
  },
  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    const { controller = '', parameters } = spec;
    const here = field.child('controller');
    if (old !== undefined) here.immutable(controller, old.spec.controller ?? '');
    if (controller === '') here.required();
    else {
      if (Buffer.byteLength(controller) > maxControllerBytes) here.tooLong(maxControllerBytes);
      here.refuse(controller, checkDomainPrefixedPath(controller));
    }
    if (parameters !== undefined) validateParameters(parameters, field.child('parameters'));
  },
});

function validateParameters(parameters: IngressClassParametersReference, field: FieldAt): void {
  const { apiGroup, kind, name, scope, namespace } = parameters;
  if (apiGroup !== undefined) field.child('apiGroup').refuse(apiGroup, checkDns1123Subdomain(apiGroup));
  field.child('kind').requiredText(kind, checkPathSegment);
  field.child('name').requiredText(name, checkPathSegment);
  const here = field.child('namespace');
  switch (scope) {
    case undefined:
      field.child('scope').required();
      break;
    case 'Cluster':
      if (namespace !== undefined) here.forbidden("`parameters.scope` is set to 'Cluster'");
      break;
    case 'Namespace':
      if (namespace === undefined) here.required("`parameters.scope` is set to 'Namespace'");
      else here.refuse(namespace, checkDns1123Label(namespace));
      break;
    default:
      field.child('scope').notSupported(scope, ['Cluster', 'Namespace']);
  }
}
