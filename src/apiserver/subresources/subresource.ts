// The contract of subresources that read or write objects: status and scale by declaration of the kind, the others one file each,
// listed in all.ts. Subresources that are connections (log, exec) live in endpoints/.
import type { RequestBody } from '../../api/index.ts';
import type { KindDef, Verb } from '../../machinery/index.ts';
import type { WriteCall } from '../registry/call.ts';
import type { RegistryCore } from '../registry/core.ts';
import type { Answer } from '../registry/objects.ts';
import type { PatchType } from '../registry/patch.ts';

/** `at` is the object that the subresource belongs to. */
export interface SubresourceCall extends WriteCall {
  readonly verb: 'get' | 'create' | 'update' | 'patch';
  /** Only with the verb patch. */
  readonly patchType: PatchType;
}

export interface Subresource {
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** What bodies and answers are; undefined = the kind itself. */
  readonly body: RequestBody | undefined;
  /** When answers are no objects of the kind: how they print as a Table. */
  readonly answers?: KindDef;
  appliesTo(kind: KindDef): boolean;
  handle(core: RegistryCore, call: SubresourceCall): Promise<Answer>;
}
