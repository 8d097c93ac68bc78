// Every subresource that reads or writes objects. Adding one = its file and one line here.
import type { KindDef } from '../../machinery/index.ts';
import { approval } from './approval.ts';
import { binding } from './binding.ts';
import { eviction } from './eviction.ts';
import { finalize } from './finalize.ts';
import { ephemeralContainers, resize } from './pod-parts.ts';
import { scale } from './scale.ts';
import { status } from './status.ts';
import type { Subresource } from './subresource.ts';
import { token } from './token.ts';

export const subresources: readonly Subresource[] = [
  status,
  scale,
  approval,
  binding,
  eviction,
  ephemeralContainers,
  resize,
  finalize,
  token,
];

export const findSubresource = (kind: KindDef, name: string): Subresource | undefined =>
  subresources.find((s) => s.name === name && s.appliesTo(kind));
