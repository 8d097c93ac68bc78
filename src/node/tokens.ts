// Service account tokens for projected volumes, asked for at the API and used again until a fifth of their life is left, or for a day: the
// kubelet's rule.
import { type coreV1, type Pod, ServiceAccount } from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { parseTime } from '../machinery/index.ts';
import { VolumeError } from './volumes/volume-error.ts';

interface Token {
  readonly text: string;
  readonly refreshMs: number;
}

interface TokenRequest {
  readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
}

const defaultSeconds = 3600;
const maxUseMs = 86_400_000;

export class Tokens {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Token>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Rejects with a VolumeError when the API gives none. */
  async get(pod: Pod, source: coreV1.ServiceAccountTokenProjection): Promise<string> {
    const { uid, name, namespace } = pod.metadata;
    const account = pod.spec.serviceAccountName || 'default';
    const key = JSON.stringify([uid, account, source.audience, source.expirationSeconds]);
    const known = this.#tokens.get(key);
    const nowMs = this.#clock.nowMs();
    if (known !== undefined && nowMs < known.refreshMs) return known.text;
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: {
        audiences: source.audience ? [source.audience] : [],
        expirationSeconds: source.expirationSeconds ?? defaultSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    let answer: TokenRequest;
    try {
      const at = { name: account, namespace, subresource: 'token' };
      answer = (await this.#client(ServiceAccount).createSub(at, request)) as TokenRequest;
    } catch (error) {
      // A token that still works is better than none.
      if (known !== undefined) return known.text;
      throw new VolumeError(`failed to fetch token: ${(error as Error).message}`);
    }
    const text = answer.status?.token;
    if (!text) throw new VolumeError('failed to fetch token: the API answered without one');
    const expiresMs = parseTime(answer.status?.expirationTimestamp) ?? nowMs + defaultSeconds * 1000;
    this.#tokens.set(key, { text, refreshMs: nowMs + Math.min((expiresMs - nowMs) * 0.8, maxUseMs) });
    return text;
  }

  /** How long until a pod's first token is to be asked for again, 0 = it is overdue; undefined = none was got for it. */
  dueInMs(uid: string): number | undefined {
    let first: number | undefined;
    for (const [key, { refreshMs }] of this.#tokens)
      if (isOf(uid, key) && refreshMs < (first ?? Number.POSITIVE_INFINITY)) first = refreshMs;
    return first === undefined ? undefined : Math.max(0, first - this.#clock.nowMs());
  }

  release(uid: string): void {
    for (const key of this.#tokens.keys()) if (isOf(uid, key)) this.#tokens.delete(key);
  }
}

const isOf = (uid: string, key: string): boolean => key.startsWith(`["${uid}"`);
