// Service account tokens for projected volumes, asked for at the API and used again until a fifth of their life is left.
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
    this.#tokens.set(key, { text, refreshMs: nowMs + (expiresMs - nowMs) * 0.8 });
    return text;
  }

  release(uid: string): void {
    for (const key of this.#tokens.keys()) if (key.startsWith(`["${uid}"`)) this.#tokens.delete(key);
  }
}
