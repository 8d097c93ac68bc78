// The 405 of a path, with the methods that it takes: HTTP wants them in the Allow header, and `sendError` puts them there.
import { type KindDef, StatusError, type Verb } from '../../machinery/index.ts';
import { findSubresource } from '../subresources/all.ts';
import { findConnection } from './connections.ts';
import type { ResourceRoute } from './route.ts';

export class MethodNotAllowed extends StatusError {
  readonly allow: readonly string[];
  constructor(allow: readonly string[]) {
    super(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
    this.allow = allow;
  }
}

/** The method by which a verb is asked for. */
const methodOf: Readonly<Record<Verb, string>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};

const collectionVerbs: readonly Verb[] = ['list', 'watch', 'create', 'deletecollection'];

/** Without a kind it is for a path that can only be read. */
export function methodNotAllowed(kind?: KindDef, route?: ResourceRoute): MethodNotAllowed {
  if (kind === undefined || route === undefined) return new MethodNotAllowed(['GET']);
  const methods = verbsAt(kind, route).map((verb) => methodOf[verb]);
  return new MethodNotAllowed([...new Set(methods)].sort());
}

function verbsAt(kind: KindDef, { name, subresource }: ResourceRoute): readonly Verb[] {
  if (subresource === '')
    return kind.verbs.filter((verb) => collectionVerbs.includes(verb) === (name === ''));
  return findConnection(kind, subresource)?.verbs ?? findSubresource(kind, subresource)?.verbs ?? [];
}
