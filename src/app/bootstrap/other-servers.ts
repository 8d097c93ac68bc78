// The servers on one etcd: what each does before it serves, so that all of them are one cluster.
import { agreeOnFounding, type FoundingValues } from './founding-values.ts';
import type { TokenOptions } from './server-token.ts';
import { type SharedMaterialOptions, shareMaterial } from './shared-material.ts';

export interface OtherServersOptions extends Omit<SharedMaterialOptions, keyof TokenOptions | 'place'> {
  /** What this server was told. */
  readonly options: TokenOptions & FoundingValues & { readonly etcdPrefix: string };
}

/**
 * Afterwards this server has the authorities and keys of the others, and was told the same ranges and names. Rejects as `shareMaterial`
 * and `agreeOnFounding` do.
 */
export async function agreeWithOtherServers(around: OtherServersOptions): Promise<void> {
  const { notes, options } = around;
  const place = `etcd under ${options.etcdPrefix}`;
  await shareMaterial({ ...options, ...around, place });
  const forget = `etcdctl del ${options.etcdPrefix.replace(/\/+$/, '')}/notes/founding`;
  await agreeOnFounding({ notes, place, forget, values: options });
}
