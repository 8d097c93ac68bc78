// The API servers that an agent was not told of: the endpoints of the service `kubernetes`, which every server keeps. They are written to
// the state directory, so that an agent that was given one address starts although that one is away. As the load balancer in k3s' agent.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { EndpointSlice } from '../api/index.ts';
import type { Log } from '../base/index.ts';
import type { Informers, ServersClient } from '../client/index.ts';
import { readIfThere, writeAtomically } from '../http/index.ts';

const fileOf = (stateDir: string): string => join(stateDir, 'servers.json');

/** What was kept; none when that cannot be read. */
export function readKnownServers(stateDir: string, log: Log): readonly string[] {
  try {
    const kept: unknown = JSON.parse(readIfThere(fileOf(stateDir)) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isServer) : [];
  } catch (error) {
    log.warn('cannot read which API servers there are', { file: fileOf(stateDir), error });
    return [];
  }
}

const isServer = (text: unknown): text is string =>
  typeof text === 'string' && URL.canParse(text) && new URL(text).protocol === 'https:';

/** `https://ADDRESS:PORT` of each server that is ready, sorted. Pure. */
export function planKnownServers(slices: readonly EndpointSlice[]): readonly string[] {
  const servers = slices
    .filter(
      ({ metadata, addressType }) =>
        metadata.labels?.['kubernetes.io/service-name'] === 'kubernetes' && addressType !== 'FQDN',
    )
    .flatMap(({ endpoints, ports }) => {
      const port = ports?.find(({ name }) => name === 'https')?.port;
      if (!port) return [];
      return (endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses }) => addresses)
        .map((address) => `https://${address.includes(':') ? `[${address}]` : address}:${port}`);
    });
  return [...new Set(servers)].sort();
}

export interface KnownServersOptions {
  readonly informers: Informers;
  readonly servers: Pick<ServersClient, 'learn'>;
  readonly stateDir: string;
  readonly log: Log;
}

/** Goes on until the informers end. While there are no endpoints, what was known holds. */
export function followServers({ informers, servers, stateDir, log }: KnownServersOptions): void {
  const slices = informers(EndpointSlice);
  let known = '';
  const look = (changed: EndpointSlice): void => {
    if (changed.metadata.namespace !== 'default') return;
    const found = planKnownServers(slices.list('default'));
    const text = `${JSON.stringify(found, null, 2)}\n`;
    if (found.length === 0 || text === known) return;
    known = text;
    servers.learn(found);
    try {
      if (readIfThere(fileOf(stateDir)) === text) return;
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
      writeAtomically(fileOf(stateDir), text);
      log.info('the API servers are known', { servers: found.join() });
    } catch (error) {
      log.warn('cannot keep which API servers there are', { file: fileOf(stateDir), error });
    }
  };
  slices.onChange({ added: look, updated: (_, slice) => look(slice), deleted: look });
}
