// Removes bootstrap tokens whose time is over: pkg/controller/bootstrap/tokencleaner.go. Until then the API server has refused them.
import { Secret } from '../../api/index.ts';
import { isConflict, isNotFound, parseTime } from '../../machinery/index.ts';
import { defineController } from '../framework/index.ts';

const tokenType = 'bootstrap.kubernetes.io/token';
const tokenNamespace = 'kube-system';

const isToken = ({ type, metadata }: Secret): boolean =>
  type === tokenType && metadata.namespace === tokenNamespace;

/** undefined = never. A time that cannot be read is over. Pure. */
export function expiresAtMs({ data }: Secret): number | undefined {
  const text = Buffer.from(data?.['expiration'] ?? '', 'base64').toString('utf8');
  return text === '' ? undefined : (parseTime(text) ?? 0);
}

const longestWaitMs = 3_600_000;

export const tokenCleanerController = defineController({
  name: 'token-cleaner',
  reconciles: Secret,
  when: (_, secret) => isToken(secret),

  build({ clock, lister, client }) {
    const secrets = lister(Secret);

    return async function reconcile(key) {
      const secret = secrets.get(key);
      if (secret === undefined || !isToken(secret)) return;
      if (secret.metadata.deletionTimestamp !== undefined) return;
      const atMs = expiresAtMs(secret);
      if (atMs === undefined) return;
      const leftMs = atMs - clock.nowMs();
      if (leftMs > 0) return { requeueAfterMs: Math.min(leftMs, longestWaitMs) };
      const { name, namespace, uid } = secret.metadata;
      try {
        await client(Secret).delete(name, namespace, { preconditions: { uid } });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    };
  },
});
