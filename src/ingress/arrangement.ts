// What a running HAProxy holds, and what leads from there to the next: pure. The choice: each backend has more places for servers than
// it needs, which are filled and emptied through the runtime socket; only when places, backends or the list of certificates do not suffice
// is a new process started in place of the old one.
import type { Backend } from './backends.ts';
import type { Certificate } from './certificates.ts';
import type { IngressPlan, Route } from './plan.ts';

export interface Places extends Omit<Backend, 'endpoints'> {
  /** null = free. The n-th is server `sN`, counted from 1. */
  readonly servers: readonly (string | null)[];
  /** Where the next free place is looked for: one that was just left may still end its requests. */
  readonly next: number;
}

export interface Arrangement {
  readonly backends: readonly Places[];
  /** Lines of maps: key → value. */
  readonly exact: ReadonlyMap<string, string>;
  readonly prefix: ReadonlyMap<string, string>;
  readonly certificates: readonly Certificate[];
}

export type MapName = 'exact' | 'prefix';

export interface RuntimeChanges {
  /** Of servers, in this order: first those that come. */
  readonly commands: readonly string[];
  /** Whose lines are replaced as one. */
  readonly maps: readonly MapName[];
  /** Which are shown for the same hosts as before and have other contents. */
  readonly certificates: readonly Certificate[];
}

export type Step =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'restart' }
  | ({ readonly kind: 'runtime' } & RuntimeChanges);

const fewestPlaces = 4;
/** Of what one command may carry, with room for its own words. */
export const mostPayloadBytes = 12_000;

/** The plan in the places that there are; in new ones where they do not suffice. */
export function arrange(plan: IngressPlan, before: Arrangement | undefined): Arrangement {
  const known = new Map(before?.backends.map((places) => [places.name, places]));
  return {
    backends: plan.backends.map((backend) => place(backend, known.get(backend.name))),
    exact: linesOf(plan.exact),
    prefix: linesOf(plan.prefix),
    certificates: plan.certificates,
  };
}

/** `backend|milliseconds|bytes|redirect`, as the configuration takes them apart. */
const lineOf = ({ backend, timeoutMs, maxBodyBytes, redirects }: Route): string =>
  `${backend}|${timeoutMs}|${maxBodyBytes}|${redirects ? 1 : 0}`;

const linesOf = (routes: ReadonlyMap<string, Route>): ReadonlyMap<string, string> =>
  new Map([...routes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, route]) => [key, lineOf(route)]));

function place({ endpoints, ...backend }: Backend, before: Places | undefined): Places {
  if (
    before === undefined ||
    before.protocol !== backend.protocol ||
    before.sticky !== backend.sticky ||
    before.servers.length < endpoints.length
  )
    return fresh(backend, endpoints);
  const wanted = new Set(endpoints);
  const servers = before.servers.map((one) => (one !== null && wanted.delete(one) ? one : null));
  let { next } = before;
  for (const endpoint of wanted) {
    // A place that was left just now is taken last.
    const at = freePlace(before.servers, servers, next);
    servers[at] = endpoint;
    next = (at + 1) % servers.length;
  }
  return { ...backend, servers, next };
}

function freePlace(
  before: readonly (string | null)[],
  servers: readonly (string | null)[],
  next: number,
): number {
  const order = servers.map((_, i) => (next + i) % servers.length);
  const free = order.filter((i) => servers[i] === null);
  return free.find((i) => before[i] === null) ?? free[0]!;
}

/** Room for a rollout that has half as many again, in powers of two. */
function fresh(backend: Omit<Backend, 'endpoints'>, endpoints: readonly string[]): Places {
  const count = Math.max(fewestPlaces, 2 ** Math.ceil(Math.log2(Math.max(1, endpoints.length * 1.5))));
  const servers = Array.from({ length: count }, (_, i) => endpoints[i] ?? null);
  return { ...backend, servers, next: endpoints.length % count };
}

/** What leads from one arrangement to the next. */
export function planStep(before: Arrangement | undefined, next: Arrangement): Step {
  if (before === undefined) return { kind: 'restart' };
  const known = new Map(before.backends.map((places) => [places.name, places]));
  const commands: string[] = [];
  const leaving: string[] = [];
  for (const places of next.backends) {
    const old = known.get(places.name);
    if (
      old === undefined ||
      old.protocol !== places.protocol ||
      old.sticky !== places.sticky ||
      old.servers.length !== places.servers.length
    )
      return { kind: 'restart' };
    for (const [i, server] of places.servers.entries()) {
      if (server === old.servers[i]) continue;
      const name = `${places.name}/${serverName(i)}`;
      if (server === null) leaving.push(`set server ${name} state maint`);
      else {
        const { address, port } = splitEndpoint(server);
        commands.push(`set server ${name} addr ${address} port ${port}`, `set server ${name} state ready`);
      }
    }
  }
  const renewed = renewedCertificates(before.certificates, next.certificates);
  if (renewed === undefined || renewed.some(({ pem }) => pem.length > mostPayloadBytes))
    return { kind: 'restart' };
  const maps = (['exact', 'prefix'] as const).filter((name) => !sameLines(before[name], next[name]));
  if (commands.length + leaving.length + maps.length + renewed.length === 0) return { kind: 'nothing' };
  return { kind: 'runtime', commands: [...commands, ...leaving], maps, certificates: renewed };
}

/** undefined when there are others, or they are shown for other hosts. */
function renewedCertificates(
  before: readonly Certificate[],
  next: readonly Certificate[],
): readonly Certificate[] | undefined {
  if (before.length !== next.length) return undefined;
  const renewed: Certificate[] = [];
  for (const [i, certificate] of next.entries()) {
    const old = before[i]!;
    if (old.name !== certificate.name || old.hosts.join() !== certificate.hosts.join()) return undefined;
    if (old.pem !== certificate.pem) renewed.push(certificate);
  }
  return renewed;
}

const sameLines = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean =>
  a.size === b.size && [...a].every(([key, line]) => b.get(key) === line);

export const serverName = (index: number): string => `s${index + 1}`;

export function splitEndpoint(endpoint: string): { readonly address: string; readonly port: string } {
  const colon = endpoint.lastIndexOf(':');
  return { address: endpoint.slice(0, colon), port: endpoint.slice(colon + 1) };
}
