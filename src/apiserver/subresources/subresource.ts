// The contract of subresources that read or write objects: status and scale by declaration of the kind, the others one file each,
// listed in all.ts. Subresources that are connections (log, exec) live in endpoints/.
import type { KindDef, Verb } from '../../machinery/index.ts';
import type { CallContext } from '../registry/context.ts';
import type { Place, RegistryCore } from '../registry/core.ts';
import type { Body } from '../registry/decode.ts';
import type { Answer } from '../registry/objects.ts';
import type { PatchType } from '../registry/patch.ts';

export interface SubresourceCall {
  readonly verb: 'get' | 'create' | 'update' | 'patch';
  /** The object that the subresource belongs to. */
  readonly at: Place;
  readonly body: Body;
  readonly patchType: PatchType;
  readonly context: CallContext;
}

export interface Subresource {
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** What bodies and answers are, for discovery. */
  readonly body: { readonly group: string; readonly version: string; readonly kind: string };
  appliesTo(kind: KindDef): boolean;
  handle(core: RegistryCore, call: SubresourceCall): Promise<Answer>;
}
