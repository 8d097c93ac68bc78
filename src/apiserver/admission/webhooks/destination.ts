// Where a webhook listens: a URL, or a service of the cluster. A service is reached at one of its ready endpoints, else at its cluster
// IP; its certificate must be for NAME.NAMESPACE.svc.
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
  /** As errors name it. */
  readonly shown: string;
}

type ClientConfig = admissionregistrationV1.WebhookClientConfig;

/** Throws an Error when there is no such service, or nobody behind it. */
export function destinationOf({ url, service }: ClientConfig, store: Store, random: Random): Destination {
  if (service === undefined) {
    const parsed = new URL(url ?? '');
    return {
      server: `${parsed.protocol}//${parsed.host}`,
      path: parsed.pathname + parsed.search,
      serverName: undefined,
      shown: parsed.href,
    };
  }
  const { name, namespace, port = 443, path = '' } = service;
  const entry = store.get(keyFor(Service as unknown as KindDef, namespace, name));
  if (entry === undefined) throw new Error(`service ${JSON.stringify(name)} not found`);
  const serverName = `${name}.${namespace}.svc`;
  const from = path === '' || path.startsWith('/') ? path || '/' : `/${path}`;
  const at = addressOf(objectOf<Service>(entry), port, store, random);
  return { server: `https://${at}`, path: from, serverName, shown: `https://${serverName}:${port}${from}` };
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
  if (ready.length > 0) return ready[Math.floor(random.next() * ready.length)]!;
  const ip = spec.clusterIP ?? '';
  if (ip === '' || ip === 'None')
    throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
  return hostPort(ip, port);
}

const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
