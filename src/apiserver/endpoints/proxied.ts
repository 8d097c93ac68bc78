// nodes, pods and services NAME/proxy: which address the caller means. Names may say more than the object's: `scheme:name:port`.
import { isIP } from 'node:net';
import type { Endpoints, Pod, Service } from '../../api/index.ts';
import type { Random } from '../../base/index.ts';
import { badRequest, StatusError } from '../../machinery/index.ts';
import { requireEntry } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import { addressOfNode, type ConnectionCall, type Target } from './targets.ts';

/** `name`, `name:port` or `scheme:name:port`; the port may be empty or a name. undefined = none of them. */
export function splitProxyName(
  text: string,
): { scheme: '' | 'http' | 'https'; name: string; port: string } | undefined {
  const parts = text.split(':');
  if (parts.length > 3) return undefined;
  const [scheme, name, port] = parts.length === 3 ? parts : ['', parts[0], parts[1] ?? ''];
  if (name === undefined || name === '') return undefined;
  if (scheme !== '' && scheme !== 'http' && scheme !== 'https') return undefined;
  return { scheme, name, port: port ?? '' };
}

/** What the target is asked for: the path behind `proxy`, and the query as it came. Empty = the caller ended with `proxy`. */
export function pathBehind({ rest, url }: Pick<ConnectionCall, 'rest' | 'url'>): string {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 ? '' : url.slice(mark);
  return `${rest !== '' || path.endsWith('/') ? `/${rest}` : ''}${query}`;
}

/** Any page of the node's own server, `nodes/NAME/proxy/stats/summary`, or of another port of the node. */
export function locateNode(call: ConnectionCall): Target {
  const named = splitProxyName(call.at.name);
  if (named === undefined) throw badRequest(`invalid node request ${JSON.stringify(call.at.name)}`);
  const kubelet = addressOfNode(call, named.name, `node ${named.name} is simulated: nothing listens on it`);
  const path = pathBehind(call);
  if (named.port === '' || named.port === String(kubelet.port)) return { ...kubelet, path, trust: 'node' };
  checkReachable(kubelet.host);
  return { host: kubelet.host, port: portOf(named.port), path, trust: trustOf(named.scheme) };
}

/** Without a port it is the first that a container declares, or the scheme's own. */
export function locatePod(call: ConnectionCall): Target {
  const named = splitProxyName(call.at.name);
  if (named === undefined) throw badRequest(`invalid pod request ${JSON.stringify(call.at.name)}`);
  const pod = objectOf<Pod>(requireEntry(call.core, { ...call.at, name: named.name }));
  const host = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '';
  checkReachable(host);
  const declared = pod.spec.containers.find((c) => (c.ports ?? []).length > 0)?.ports?.[0]?.containerPort;
  const usual = named.scheme === 'https' ? 443 : 80;
  const port = named.port === '' ? (declared ?? usual) : portOf(named.port);
  return { host, port, path: pathBehind(call), trust: trustOf(named.scheme) };
}

/** Some ready pod of the service, by chance. The port is the number or the name of one of the service's; empty = its nameless one. */
export function locateService(call: ConnectionCall): Target {
  const named = splitProxyName(call.at.name);
  if (named === undefined) throw badRequest(`invalid service request ${JSON.stringify(call.at.name)}`);
  const { core, kinds, at } = call;
  const portName = /^\d+$/.test(named.port) ? nameOfPort(call, named.name, Number(named.port)) : named.port;
  const endpoints = objectOf<Endpoints>(
    requireEntry(core, { kind: kinds.byKind('', 'Endpoints')!, namespace: at.namespace, name: named.name }),
  );
  const subsets = endpoints.subsets ?? [];
  if (subsets.length === 0) throw noEndpoints(named.name);
  for (const subset of fromAnywhere(core.random, subsets)) {
    const port = subset.ports?.find((p) => (p.name ?? '') === portName)?.port;
    if (port === undefined) continue;
    const address = fromAnywhere(core.random, subset.addresses ?? []).find(
      ({ ip, targetRef }) => targetRef !== undefined && isOfPod(call, targetRef, ip),
    );
    if (address !== undefined)
      return { host: address.ip, port, path: pathBehind(call), trust: trustOf(named.scheme) };
  }
  throw noEndpoints(at.name);
}

/** All of them, beginning with one by chance. */
function fromAnywhere<T>(random: Random, all: readonly T[]): readonly T[] {
  const first = Math.floor(random.next() * all.length);
  return [...all.slice(first), ...all.slice(0, first)];
}

function nameOfPort({ core, at }: ConnectionCall, name: string, port: number): string {
  const service = objectOf<Service>(requireEntry(core, { ...at, name }));
  const found = service.spec?.ports?.find((p) => p.port === port);
  if (found === undefined) throw unavailable(`no service port ${port} found for service "${name}"`);
  return found.name ?? '';
}

/** Endpoints are written by users too: who may write them must not reach through us what is not a pod of the namespace. */
function isOfPod(
  { core, kinds, at }: ConnectionCall,
  target: { readonly namespace?: string | undefined; readonly name?: string | undefined },
  ip: string,
): boolean {
  if (target.namespace !== at.namespace) return false;
  const entry = core.store.get(keyFor(kinds.byKind('', 'Pod')!, at.namespace, target.name ?? ''));
  if (entry === undefined) return false;
  return objectOf<Pod>(entry).status?.podIPs?.some((one) => one.ip === ip) ?? false;
}

const unavailable = (message: string) => new StatusError(503, 'ServiceUnavailable', message);

const noEndpoints = (name: string) =>
  unavailable(`no endpoints available for service ${JSON.stringify(name)}`);

const trustOf = (scheme: '' | 'http' | 'https'): 'https' | 'http' => (scheme === 'https' ? 'https' : 'http');

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw unavailable(`error trying to reach service: invalid port ${text}`);
  return port;
}

/** Loopback, link-local and the like are the API server's own surroundings: a pod's status must not lead there. */
function checkReachable(ip: string): void {
  if (isIP(ip) === 0 || notGlobal.test(ip.toLowerCase())) throw badRequest('address not allowed');
}

const notGlobal =
  /^(?:0\.0\.0\.0$|127\.|169\.254\.|22[4-9]\.|23\d\.|255\.255\.255\.255$|::1?$|fe[89ab][0-9a-f]:|ff[0-9a-f]{2}:|::ffff:(?:0\.0\.0\.0|127\.|169\.254\.))/;
