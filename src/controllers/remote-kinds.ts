// The kinds that other API servers answer for, for controllers that work on objects of every kind. Asked for anew each time: nobody says
// when they change.
import { APIService } from '../api/index.ts';
import type { ApiResource, Client } from '../client/index.ts';
import { defineKind, type KindDef, ObjectSchema, type Verb } from '../machinery/index.ts';

export interface RemoteKinds {
  readonly kinds: readonly KindDef[];
  /** GROUP/VERSION of those that did not say what they have. */
  readonly undiscovered: readonly string[];
}

/** Rejects when the API services cannot be listed; one of them that does not answer is in the result. */
export async function findRemoteKinds(client: Client): Promise<RemoteKinds> {
  const { items } = await client(APIService).list();
  const remote = items.filter(({ spec }) => spec.service !== undefined && (spec.group ?? '') !== '');
  const kinds: KindDef[] = [];
  const undiscovered: string[] = [];
  await Promise.all(
    remote.map(async ({ spec }) => {
      const at = { group: spec.group ?? '', version: spec.version ?? '' };
      try {
        const resources = await client.transport.resources(at);
        for (const one of resources) if (!one.name.includes('/')) kinds.push(remoteKind(at, one));
      } catch {
        undiscovered.push(`${at.group}/${at.version}`);
      }
    }),
  );
  kinds.sort((a, b) => (a.apiVersion + a.plural < b.apiVersion + b.plural ? -1 : 1));
  return { kinds, undiscovered: undiscovered.sort() };
}

/** What it looks like inside is nobody's business here. */
const shapeless = new ObjectSchema('remote', () => new Map(), true);

/** Clients keep something for each kind that they have met, so it is made once. */
const made = new Map<string, KindDef>();

function remoteKind(
  { group, version }: { readonly group: string; readonly version: string },
  { name, kind, namespaced, verbs }: ApiResource,
): KindDef {
  const id = JSON.stringify([group, version, name, kind, namespaced, verbs]);
  let found = made.get(id);
  if (found === undefined) {
    found = defineKind({
      group,
      version,
      kind,
      plural: name,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      schema: shapeless,
      verbs: verbs as readonly Verb[],
    }) as KindDef;
    made.set(id, found);
  }
  return found;
}
