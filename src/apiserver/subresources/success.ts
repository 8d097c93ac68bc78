// The Status that says a call without a result of its own went well.
import type { KubeObject } from '../../machinery/index.ts';
import type { Answer } from '../registry/objects.ts';

export const succeeded = (code: number): Answer => ({
  code,
  entry: null,
  object: {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    code,
  } as unknown as KubeObject,
});
