// Connections go through admission as writes do, with what they are asked to be in the place of an object.
import type { AdmissionRequest, ConnectOptions } from '../admission/admission.ts';
import type { CallContext, UserInfo } from '../registry/context.ts';
import { askingOf, connectOptions } from './connect-options.ts';
import type { Connection } from './connections.ts';
import type { ConnectionCall } from './targets.ts';

export interface AdmittedConnection {
  /** The call as admission left it. */
  readonly call: ConnectionCall;
  readonly warnings: readonly string[];
}

/** Rejects with the refusal. What has no options (log) is read, and not asked about. */
export async function admitConnection(
  { name, options: kind }: Connection,
  call: ConnectionCall,
  user: UserInfo,
): Promise<AdmittedConnection> {
  if (kind === undefined) return { call, warnings: [] };
  const { core, at } = call;
  const context: CallContext = {
    user,
    dryRun: false,
    fieldManager: '',
    fieldValidation: 'Ignore',
    warnings: [],
  };
  const connect: ConnectOptions = connectOptions(kind, call);
  const request: AdmissionRequest = {
    operation: 'connect',
    kind: at.kind,
    namespace: at.namespace,
    name: at.name,
    subresource: name,
    object: null,
    old: null,
    connect,
    context,
    undo: null,
  };
  await core.admission.mutate(request);
  await core.admission.validate(request);
  return { call: { ...call, ...askingOf(connect, call) }, warnings: context.warnings };
}
