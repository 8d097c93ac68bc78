// Which options of a list, and which of a watch, mean something together. The rules are those of ListOptions in Kubernetes; what
// depends on the store (registry/list.ts) is not looked at here.
import { Causes } from '../../machinery/index.ts';
import { flag, type Query } from './query.ts';

const matchField = 'resourceVersionMatch';
const matches = ['Exact', 'NotOlderThan', ''];

/** Throws 422 with every fault. HOT: most lists come without options. */
export function checkListOptions(query: Query): void {
  if (query.size === 0) return;
  const match = query.get(matchField) ?? '';
  const version = query.get('resourceVersion') ?? '';
  const causes = new Causes();
  if (match !== '') {
    if (version === '')
      causes.forbidden(matchField, 'resourceVersionMatch is forbidden unless resourceVersion is provided');
    forbidWithContinue(query, causes);
    if (!matches.includes(match)) causes.notSupported(matchField, match, matches);
    if (match === 'Exact' && version === '0')
      causes.forbidden(matchField, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  if (flag(query, 'sendInitialEvents') !== undefined)
    causes.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  throwIfAny(causes);
}

/** Throws 422 with every fault. */
export function checkWatchOptions(query: Query): void {
  const match = query.get(matchField) ?? '';
  const asksForState = flag(query, 'sendInitialEvents') !== undefined;
  const causes = new Causes();
  if (asksForState && match !== 'NotOlderThan')
    causes.forbidden(matchField, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  if (match !== '') {
    if (!asksForState)
      causes.forbidden(
        matchField,
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    if (match !== 'NotOlderThan') causes.notSupported(matchField, match, ['NotOlderThan']);
    forbidWithContinue(query, causes);
  }
  throwIfAny(causes);
}

function forbidWithContinue(query: Query, causes: Causes): void {
  if ((query.get('continue') ?? '') !== '')
    causes.forbidden(matchField, 'resourceVersionMatch is forbidden when continue is provided');
}

function throwIfAny(causes: Causes): void {
  const error = causes.toError('meta.k8s.io', 'ListOptions', '');
  if (error !== undefined) throw error;
}
