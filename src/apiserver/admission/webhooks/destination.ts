// Where a webhook listens: a URL, or a service of the cluster. A service is reached at one of its ready endpoints, for the
// server need not stand where cluster IPs lead anywhere; its certificate must be for NAME.NAMESPACE.svc.
import {
  type admissionregistrationV1,
  EndpointSlice,
  Service,
  serviceNameLabel,
} from '../../../api/index.ts';
import type { Random } from '../../../base/index.ts';
import type { KindDef } from '../../../machinery/index.ts';
import type { Store } from '../../../storage/index.ts';
import { keyFor, objectOf } from '../../registry/objects.ts';

export interface Destination {
  /** `https://HOST:PORT` */
  readonly server: string;
  /** Path and query. */
  readonly path: string;
  /** The name in its certificate; undefined = its host. */
  readonly serverName: string | undefined;
}

type ClientConfig = admissionregistrationV1.WebhookClientConfig;

/** `https://HOST:PORT/PATH`, as errors name where a webhook listens, whether or not anybody does. */
export function shownDestination({ url, service }: ClientConfig): string {
  if (service === undefined) return new URL(url ?? '').href;
  const { name, namespace, port = 443, path = '' } = service;
  return `https://${name}.${namespace}.svc:${port}${pathOf(path)}`;
}

const pathOf = (path: string): string => (path.startsWith('/') ? path : `/${path}`);

/** Throws an Error when there is no such service, or nobody behind it. */
export function destinationOf({ url, service }: ClientConfig, store: Store, random: Random): Destination {
  if (service === undefined) {
    const parsed = new URL(url ?? '');
    return {
      server: `${parsed.protocol}//${parsed.host}`,
      path: parsed.pathname + parsed.search,
      serverName: undefined,
    };
  }
  const { name, namespace, port = 443, path = '' } = service;
  const entry = store.get(keyFor(Service as unknown as KindDef, namespace, name));
  if (entry === undefined) throw new Error(`service ${JSON.stringify(name)} not found`);
  const serverName = `${name}.${namespace}.svc`;
  const at = addressOf(objectOf<Service>(entry), port, store, random);
  return { server: `https://${at}`, path: pathOf(path), serverName };
}

function addressOf({ metadata, spec }: Service, port: number, store: Store, random: Random): string {
  const { name, namespace } = metadata;
  if (spec.type === 'ExternalName') return hostPort(spec.externalName ?? '', port);
  const found = spec.ports?.find((one) => one.port === port);
  if (found === undefined)
    throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
  const ready: string[] = [];
  for (const slice of store.list(`${EndpointSlice.storagePrefix}${namespace}/`)) {
    const { metadata: of, endpoints, ports } = objectOf<EndpointSlice>(slice);
    if (of.labels?.[serviceNameLabel] !== name) continue;
    const target = ports?.find((one) => (one.name ?? '') === (found.name ?? ''))?.port;
    if (target === undefined) continue;
    for (const { conditions, addresses } of endpoints ?? [])
      if (conditions?.ready !== false) ready.push(...addresses.map((address) => hostPort(address, target)));
  }
  const one = ready[Math.floor(random.next() * ready.length)];
  if (one === undefined) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
  return one;
}

const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
