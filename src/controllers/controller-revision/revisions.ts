// Keeps the history of a set on the server. What is to be done, history.ts has decided.
import { ControllerRevision } from '../../api/index.ts';
import { isAlreadyExists, semanticEqual } from '../../machinery/index.ts';
import type { ControllerContext } from '../framework/index.ts';
import { ignoreNotFound } from '../ownership.ts';
import { planHistory, revisionData, revisionDraft, type Versioned } from './history.ts';

type Writing = Pick<ControllerContext, 'client'>;

export interface KeptRevision {
  /** Of the owner's present template. */
  readonly revision: ControllerRevision;
  /** How often names were taken so far: for the owner's status. */
  readonly collisionCount: number;
}

/** More names in a row are not taken by chance. */
const maxCollisions = 100;

/** Finds, renumbers or makes the revision of the owner's template. `revisions`: all that it owns. */
export async function keepRevision(
  { client }: Writing,
  owner: Versioned,
  { revisions, hashLabel }: { readonly revisions: readonly ControllerRevision[]; readonly hashLabel: string },
): Promise<KeptRevision> {
  const step = planHistory(owner, revisions);
  let collisionCount = owner.status?.collisionCount ?? 0;
  if (step.do === 'keep') return { revision: step.revision, collisionCount };
  if (step.do === 'renumber') {
    const { name, namespace, uid } = step.revision.metadata;
    const body = { metadata: { uid }, revision: step.number };
    return {
      revision: await client(ControllerRevision).patch({ name, namespace }, 'merge', body),
      collisionCount,
    };
  }
  for (let tries = 0; ; tries++) {
    const draft = revisionDraft(owner, step.number, { hashLabel, collisionCount });
    try {
      return { revision: await client(ControllerRevision).create(draft), collisionCount };
    } catch (error) {
      if (!isAlreadyExists(error) || tries === maxCollisions) throw error;
    }
    const taken = await client(ControllerRevision).get(draft.metadata.name!, owner.metadata.namespace);
    if (semanticEqual(taken.data, revisionData(owner.spec.template)))
      return { revision: taken, collisionCount };
    collisionCount++;
  }
}

export async function removeRevisions(
  { client }: Writing,
  revisions: readonly ControllerRevision[],
  signal: AbortSignal,
): Promise<void> {
  for (const { metadata } of revisions) {
    signal.throwIfAborted();
    await client(ControllerRevision)
      .delete(metadata.name, metadata.namespace, { preconditions: { uid: metadata.uid } })
      .catch(ignoreNotFound);
  }
}
