// Follows the kinds that other API servers answer for, for controllers that keep their objects in view. Nobody says when they change, so
// they are asked for again and again, as long as there is such a server. Who does not answer keeps what he had.
import { APIService } from '../api/index.ts';
import type { Clock, Log, Timer } from '../base/index.ts';
import type { Client, Informer, Informers } from '../client/index.ts';
import { type KindDef, semanticEqual } from '../machinery/index.ts';
import type { CustomKindHandlers } from './custom-kinds.ts';
import { findRemoteKinds, type RemoteKinds } from './remote-kinds.ts';

export interface RemoteKindsFollowed {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RemoteKindFollower {
  /** Whether another server answers for the kind now. */
  has(kind: KindDef): boolean;
  readonly end: () => void;
}

/** As often as kube-controller-manager asks. */
const askAgainMs = 30_000;

const needed = ['list', 'watch', 'delete'] as const;

const idOf = ({ group, plural }: KindDef): string => `${plural}.${group}`;

/** What to follow from now on: one version of each resource, of all that can be listed, watched and deleted. Pure. */
export function planFollowed(
  before: ReadonlyMap<string, KindDef>,
  { kinds, undiscovered }: RemoteKinds,
): ReadonlyMap<string, KindDef> {
  const next = new Map<string, KindDef>();
  for (const [id, kind] of before) if (undiscovered.includes(kind.apiVersion)) next.set(id, kind);
  for (const kind of kinds) {
    if (!needed.every((verb) => kind.verbs.includes(verb))) continue;
    const id = idOf(kind);
    // The version that is followed already stays: another would show the same objects once more.
    if (!next.has(id) || before.get(id) === kind) next.set(id, kind);
  }
  return next;
}

/** Handlers are called as for custom resources; `undefinedNow` is never true: who goes takes his objects with him, or does not. */
export function followRemoteKinds(
  { client, informers, clock, log }: RemoteKindsFollowed,
  handlers: CustomKindHandlers,
): RemoteKindFollower {
  const followed = new Map<string, Informer>();
  let looking = false;
  let again = false;
  let ended = false;
  let timer: Timer | undefined;

  const settle = (found: RemoteKinds): void => {
    const before = new Map([...followed].map(([id, { kind }]) => [id, kind]));
    const next = planFollowed(before, found);
    for (const [id, informer] of followed) {
      if (next.get(id) === informer.kind) continue;
      followed.delete(id);
      informers.drop(informer.kind);
      handlers.removed(informer, false);
    }
    for (const [id, kind] of next) {
      if (followed.has(id)) continue;
      const informer = informers(kind);
      followed.set(id, informer);
      handlers.added(informer);
      informer.synced.then(
        () => {
          if (!ended && followed.get(id) === informer) handlers.synced(informer);
        },
        // It ended before: nobody waits for it any more.
        () => {},
      );
    }
  };

  const services = informers(APIService);
  const isNeeded = () => followed.size > 0 || services.list().some(({ spec }) => spec.service !== undefined);

  const look = async (): Promise<void> => {
    again = looking;
    if (looking || ended || !isNeeded()) return;
    looking = true;
    timer?.cancel();
    try {
      const found = await findRemoteKinds(client);
      if (!ended) settle(found);
    } catch (error) {
      log.debug('cannot ask what other API servers have', { error });
    }
    looking = false;
    if (ended) return;
    if (again) await look();
    else if (isNeeded()) timer = clock.after(askAgainMs, () => void look());
  };
  const unsubscribe = services.onChange({
    added: ({ spec }) => {
      if (spec.service !== undefined) void look();
    },
    updated: (old, service) => {
      const isOther = !semanticEqual(old.spec.service, service.spec.service);
      const isRemote = service.spec.service !== undefined;
      if (isOther || (isRemote && !semanticEqual(old.status, service.status))) void look();
    },
    deleted: ({ spec }) => {
      if (spec.service !== undefined) void look();
    },
  });
  return {
    has: (kind) => followed.get(idOf(kind))?.kind === kind,
    end() {
      ended = true;
      timer?.cancel();
      unsubscribe();
    },
  };
}
