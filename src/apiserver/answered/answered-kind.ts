// The contract of kinds that are answered, not stored: the server makes the answer when it is asked. all.ts lists them. What a kind's
// verbs do not name never gets here.
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import type { WriteCall } from '../registry/call.ts';
import type { RegistryCore } from '../registry/core.ts';
import type { Answer } from '../registry/objects.ts';

export interface AnsweredKind {
  readonly kind: KindDef;
  /** Kinds with the verb create. Rejects with a StatusError. */
  readonly create?: (core: RegistryCore, call: WriteCall) => Promise<Answer>;
  /** Kinds with the verbs get and list: all there are, in the order of their names. */
  readonly readAll?: (core: RegistryCore) => Promise<readonly KubeObject[]>;
}
