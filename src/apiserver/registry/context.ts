// What a call to the registry carries besides its target: who asks, how strict to be, whether anything may really change.
import type { UserInfo } from '../auth/attributes.ts';

export type { UserInfo };

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface CallContext {
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly fieldManager: string;
  /** An apply takes fields that others own. Left out = false. */
  readonly force?: boolean | undefined;
  readonly fieldValidation: FieldValidation;
  /**
   * Throws when the caller may not create what an update or an apply does not find: that asks for more than the write itself. Left
   * out = he may.
   */
  readonly authorizeCreate?: (() => void) | undefined;
  /** Texts for Warning headers; steps append to it. */
  readonly warnings: string[];
}

/** The identity of the server's own parts, which call in-process. */
export const loopbackUser: UserInfo = {
  name: 'system:apiserver',
  uid: '',
  groups: ['system:masters', 'system:authenticated'],
};

export function internalContext(
  options: {
    dryRun?: boolean | undefined;
    fieldManager?: string | undefined;
    force?: boolean | undefined;
  } = {},
): CallContext {
  return {
    user: loopbackUser,
    dryRun: options.dryRun ?? false,
    fieldManager: options.fieldManager ?? 'jotasu',
    force: options.force,
    fieldValidation: 'Ignore',
    warnings: [],
  };
}
