// The transport of the server's own parts: what other API servers answer for goes to them, everything else stays in this process.

import type { Clock, Random } from '../../base/index.ts';
import { createHttpsTransport, type Target, type Transport } from '../../client/index.ts';
import { StatusError } from '../../machinery/index.ts';
import { loopbackUser } from '../registry/context.ts';
import { type GroupVersion, type RemoteApi, type RemoteApis, shownVersion } from './remote-apis.ts';
import type { RemoteClients } from './remote-clients.ts';

export interface RoutedTransportOptions {
  readonly inner: Transport;
  readonly remotes: RemoteApis;
  readonly clients: RemoteClients;
  readonly clock: Clock;
  readonly random: Random;
}

export function routedTransport({
  inner,
  remotes,
  clients,
  clock,
  random,
}: RoutedTransportOptions): Transport {
  const made = new Map<string, Transport>();

  const transportTo = (at: GroupVersion): Transport => {
    const key = shownVersion(at);
    let transport = made.get(key);
    if (transport === undefined) {
      const find = (): RemoteApi => {
        const remote = remotes.find(at.group, at.version);
        if (remote !== undefined) return remote;
        // It went between the look and the call: the caller tries again, and then it is asked here.
        throw new StatusError(503, 'ServiceUnavailable', `no server answers for ${key} now`);
      };
      const http = clients.clientFor(find, loopbackUser);
      transport = createHttpsTransport({ http, clock, random });
      made.set(key, transport);
    }
    return transport;
  };
  const of = (at: GroupVersion): Transport =>
    remotes.find(at.group, at.version) === undefined
      ? inner
      : transportTo({ group: at.group, version: at.version });
  const by = ({ kind }: Target): Transport => of(kind);

  return {
    get: (target, options) => by(target).get(target, options),
    list: (target, query) => by(target).list(target, query),
    watch: (target, query, sink, signal) => by(target).watch(target, query, sink, signal),
    create: (target, object, options) => by(target).create(target, object, options),
    update: (target, object, options) => by(target).update(target, object, options),
    patch: (target, type, patch, options) => by(target).patch(target, type, patch, options),
    delete: (target, options) => by(target).delete(target, options),
    deleteCollection: (target, query, options) => by(target).deleteCollection(target, query, options),
    resources: (at) => of(at).resources(at),
    close: () => inner.close(),
  };
}
