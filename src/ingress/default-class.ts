// The class that a cluster has from its first second, so that an ingress which names none is served.
import { defaultIngressClassAnnotation, IngressClass, ownIngressController } from '../api/index.ts';
import { type Clock, type Log, type Scope, sleep } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { isAlreadyExists } from '../machinery/index.ts';

export const ownIngressClass = 'jotasu';

const retryMs = 5_000;

export interface IngressClassOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
}

/** Sees to it that there is the class. Nothing waits for that: a webhook that is not up yet may refuse it for a while. */
export function startIngressClass({ client, clock, log, scope }: IngressClassOptions): void {
  scope.run('default ingress class', async (signal) => {
    while (!signal.aborted) {
      try {
        await ensureIngressClass(client);
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.warn('cannot make the default ingress class, trying again', { error });
      }
      await sleep(clock, retryMs, signal).catch(() => {});
    }
  });
}

/** Makes the class when it is missing, as the default unless another is; otherwise it is left as users changed it. */
export async function ensureIngressClass(client: Client): Promise<void> {
  const { items } = await client(IngressClass).list();
  if (items.some(({ metadata }) => metadata.name === ownIngressClass)) return;
  const hasDefault = items.some(
    ({ metadata }) => metadata.annotations?.[defaultIngressClassAnnotation] === 'true',
  );
  try {
    await client(IngressClass).create({
      metadata: {
        name: ownIngressClass,
        annotations: { [defaultIngressClassAnnotation]: String(!hasDefault) },
      },
      spec: { controller: ownIngressController },
    });
  } catch (error) {
    // Another server was faster.
    if (!isAlreadyExists(error)) throw error;
  }
}
