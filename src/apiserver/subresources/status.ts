// status: the part of an object that controllers write.
import { statusOnly } from '../registry/update-rules.ts';
import { partOf } from './part.ts';

export const status = partOf(statusOnly, (kind) => kind.subresources.status);
