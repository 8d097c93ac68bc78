// What the ingresses of a cluster ask of a node: pure, from objects to routes, backends and certificates. Each backend is named after what
// ingresses refer to (service and port), so that a service that comes later changes servers and no configuration.
import {
  type EndpointSlice,
  type Ingress,
  type IngressClass,
  ingressClassOf,
  type networkingV1,
  ownIngressClasses,
  type Secret,
  type Service,
} from '../api/index.ts';
import { keyOf } from '../machinery/index.ts';
import { type Backend, endpointsBehind, portOf, protocolOf } from './backends.ts';
import { type Certificate, certificateOf } from './certificates.ts';
import { type RouteSettings, settingsOf } from './settings.ts';

type IngressBackend = networkingV1.IngressBackend;

export interface IngressView {
  readonly ingresses: readonly Ingress[];
  readonly classes: readonly IngressClass[];
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  secret(namespace: string, name: string): Secret | undefined;
}

export type ProblemReason =
  | 'Conflict'
  | 'InvalidAnnotation'
  | 'InvalidCertificate'
  | 'PortNotFound'
  | 'SecretNotFound'
  | 'ServiceNotFound'
  | 'UnsupportedBackend';

/** What of an ingress is not as it asks, in words for an Event. */
export interface IngressProblem {
  /** NAMESPACE/NAME */
  readonly ingress: string;
  readonly reason: ProblemReason;
  readonly message: string;
}

/** Where requests go: the name of a backend, and how they are treated on the way. */
export interface Route extends RouteSettings {
  readonly backend: string;
}

export interface IngressPlan {
  /** In the order of their names. */
  readonly backends: readonly Backend[];
  /** By host and path: `example.com/login`. A wildcard host begins with `*.`, a rule for all hosts with the path. */
  readonly exact: ReadonlyMap<string, Route>;
  /** The same, each path ending in `/`: the longest that begins a request's host and path (with `/` at its end) is meant. */
  readonly prefix: ReadonlyMap<string, Route>;
  /** In the order of their names. */
  readonly certificates: readonly Certificate[];
  readonly problems: readonly IngressProblem[];
}

/** The backend of what cannot be served: it answers 503. */
export const refusedBackend = 'refused';

/** Those that nodes serve, the oldest first: of two that want the same it has it. */
export function servedIngresses(
  ingresses: readonly Ingress[],
  classes: readonly IngressClass[],
): readonly Ingress[] {
  const ours = ownIngressClasses(classes);
  const age = ({ metadata }: Ingress): string => metadata.creationTimestamp ?? '';
  return ingresses
    .filter((ingress) => ours.has(ingressClassOf(ingress) ?? ''))
    .sort((a, b) => (age(a) === age(b) ? (keyOf(a) < keyOf(b) ? -1 : 1) : age(a) < age(b) ? -1 : 1));
}

/** The secrets that these ingresses name: NAMESPACE/NAME. */
export function secretsNamed(ingresses: readonly Ingress[]): ReadonlySet<string> {
  return new Set(
    ingresses.flatMap(({ metadata, spec }) =>
      (spec.tls ?? []).flatMap(({ secretName }) =>
        secretName ? [`${metadata.namespace ?? ''}/${secretName}`] : [],
      ),
    ),
  );
}

export function planIngress(view: IngressView): IngressPlan {
  const served = servedIngresses(view.ingresses, view.classes);
  const planning = new Planning(view);
  for (const ingress of served) planning.addRules(ingress);
  // After all rules: a rule for all paths of all hosts says the same more clearly.
  for (const ingress of served) planning.addDefault(ingress);
  for (const ingress of served) planning.addCertificates(ingress);
  return planning.plan();
}

interface Owned extends Route {
  readonly owner: string;
}

class Planning {
  readonly #view: IngressView;
  readonly #backends = new Map<string, Backend>();
  readonly #exact = new Map<string, Owned>();
  readonly #prefix = new Map<string, Owned>();
  readonly #certificates = new Map<string, Certificate>();
  /** Who has the certificate of a host. */
  readonly #hosts = new Map<string, { readonly owner: string; readonly secret: string }>();
  readonly #problems: IngressProblem[] = [];
  #defaultOwner: string | undefined;

  constructor(view: IngressView) {
    this.#view = view;
  }

  plan(): IngressPlan {
    const byName = <T extends { readonly name: string }>(all: ReadonlyMap<string, T>): readonly T[] =>
      [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const certificates = byName(this.#certificates).map((certificate) => ({
      ...certificate,
      hosts: [...certificate.hosts].sort(),
    }));
    const routes = (owned: ReadonlyMap<string, Owned>): ReadonlyMap<string, Route> =>
      new Map([...owned].map(([key, { owner: _, ...route }]) => [key, route]));
    return {
      backends: byName(this.#backends),
      exact: routes(this.#exact),
      prefix: routes(this.#prefix),
      certificates,
      problems: this.#problems,
    };
  }

  addRules(ingress: Ingress): void {
    const settings = settingsOf(ingress, (message) => this.#tell(ingress, 'InvalidAnnotation', message));
    for (const { host = '', http } of ingress.spec.rules ?? [])
      for (const { path = '', pathType, backend } of http?.paths ?? []) {
        const route = { ...settings, backend: this.#backend(ingress, backend), owner: keyOf(ingress) };
        const exact = pathType === 'Exact';
        const written = writtenPath(path === '' ? '/' : path);
        const key = `${host.toLowerCase()}${exact ? written : `${written.replace(/\/+$/, '')}/`}`;
        const table = exact ? this.#exact : this.#prefix;
        const known = table.get(key);
        if (known === undefined) table.set(key, route);
        else if (known.owner !== route.owner)
          this.#tell(
            ingress,
            'Conflict',
            `host "${host || '*'}" and path "${path}" are already defined in ingress ${known.owner}`,
          );
      }
  }

  /** It gets what no rule matches, of whatever host. */
  addDefault(ingress: Ingress): void {
    const { defaultBackend } = ingress.spec;
    if (defaultBackend === undefined) return;
    if (this.#defaultOwner !== undefined) {
      this.#tell(ingress, 'Conflict', `the default backend is already that of ingress ${this.#defaultOwner}`);
      return;
    }
    this.#defaultOwner = keyOf(ingress);
    const backend = this.#backend(ingress, defaultBackend);
    if (this.#prefix.has('/')) return;
    this.#prefix.set('/', { ...settingsOf(ingress, () => {}), backend, owner: keyOf(ingress) });
  }

  addCertificates(ingress: Ingress): void {
    const owner = keyOf(ingress);
    const { namespace = '' } = ingress.metadata;
    for (const { hosts = [], secretName = '' } of ingress.spec.tls ?? []) {
      // The default certificate is meant.
      if (secretName === '') continue;
      const name = `${namespace}_${secretName}`;
      const secret = this.#view.secret(namespace, secretName);
      if (secret === undefined) {
        this.#tell(ingress, 'SecretNotFound', `secret "${secretName}" was not found`);
        continue;
      }
      const found = certificateOf(secret);
      if ('problem' in found) {
        this.#tell(ingress, 'InvalidCertificate', `secret "${secretName}": ${found.problem}`);
        continue;
      }
      const won: string[] = [];
      // Without hosts those of the certificate itself.
      for (const host of (hosts.length > 0 ? hosts : found.hosts).map((one) => one.toLowerCase())) {
        const known = this.#hosts.get(host);
        if (known !== undefined && known.secret !== name) {
          if (known.owner !== owner)
            this.#tell(
              ingress,
              'Conflict',
              `the certificate of host "${host}" is already that of ingress ${known.owner}`,
            );
          continue;
        }
        this.#hosts.set(host, { owner, secret: name });
        won.push(host);
      }
      const all = new Set([...(this.#certificates.get(name)?.hosts ?? []), ...won]);
      if (all.size > 0) this.#certificates.set(name, { name, pem: found.pem, hosts: [...all] });
    }
  }

  /** The name of the backend, which is made when it is new. */
  #backend(ingress: Ingress, { service: reference, resource }: IngressBackend): string {
    if (reference === undefined) {
      this.#tell(
        ingress,
        'UnsupportedBackend',
        `backends of kind ${resource?.kind ?? 'unknown'} are not supported, only services`,
      );
      return refusedBackend;
    }
    const { namespace = '' } = ingress.metadata;
    const { name: serviceName } = reference;
    const service = this.#view.service(namespace, serviceName);
    const port = reference.port?.name || String(reference.port?.number ?? 0);
    if (service === undefined)
      this.#tell(ingress, 'ServiceNotFound', `service "${serviceName}" was not found`);
    else if (service.spec.type === 'ExternalName') {
      this.#tell(
        ingress,
        'UnsupportedBackend',
        `service "${serviceName}" is of type ExternalName, which an ingress cannot lead to`,
      );
      return refusedBackend;
    }
    const servicePort = service === undefined ? undefined : portOf(service, reference.port ?? {});
    if (service !== undefined && servicePort === undefined)
      this.#tell(ingress, 'PortNotFound', `service "${serviceName}" has no port "${port}"`);
    const name = `${namespace}_${serviceName}_${port}`;
    if (!this.#backends.has(name))
      this.#backends.set(name, {
        name,
        protocol: protocolOf(servicePort?.appProtocol),
        sticky: service?.spec.sessionAffinity === 'ClientIP',
        endpoints:
          service === undefined || servicePort === undefined
            ? []
            : endpointsBehind(this.#view.slices(namespace, serviceName), service, servicePort.name ?? ''),
      });
    return name;
  }

  #tell(ingress: Ingress, reason: ProblemReason, message: string): void {
    const key = keyOf(ingress);
    if (!this.#problems.some((one) => one.ingress === key && one.message === message))
      this.#problems.push({ ingress: key, reason, message });
  }
}

/** As clients write it: what a line of a request cannot hold is written in percents. */
const writtenPath = (path: string): string =>
  path.replace(/[^\x21-\x7e]/gu, (letter) =>
    [...Buffer.from(letter, 'utf8')]
      .map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`)
      .join(''),
  );
