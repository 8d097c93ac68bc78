// kube-system/extension-apiserver-authentication: by which certificates other API servers and the parts of a node know clients of this
// cluster, and requests that this server hands on for them. Kept as it is, whatever becomes of it; further keys that somebody adds stay.
import { X509Certificate } from 'node:crypto';
import { ConfigMap } from '../api/index.ts';
import type { Client } from '../client/index.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../machinery/index.ts';

const at = { name: 'extension-apiserver-authentication', namespace: 'kube-system' };
const proxyCaKey = 'requestheader-client-ca-file';

export interface ClientAuthentication {
  /** PEM; undefined = clients have no certificates. */
  readonly clientCa: string | undefined;
  /** PEM of the authority behind the certificate that is shown to other API servers; undefined = none is shown. */
  readonly frontProxyCa: string | undefined;
  /** The name in that certificate. */
  readonly frontProxyName: string;
  readonly nowMs: number;
}

/** Another server that does the same meanwhile writes the same or adds its own: whoever comes first has done it. */
export async function keepClientAuthentication(client: Client, known: ClientAuthentication): Promise<void> {
  if (known.clientCa === undefined && known.frontProxyCa === undefined) return;
  try {
    await settle(client, known);
  } catch (error) {
    if (!isAlreadyExists(error) && !isConflict(error)) throw error;
  }
}

async function settle(client: Client, known: ClientAuthentication): Promise<void> {
  let found: ConfigMap;
  try {
    found = await client(ConfigMap).get(at.name, at.namespace);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client(ConfigMap).create({ metadata: at, data: planClientAuthentication({}, known) });
    return;
  }
  const before = found.data ?? {};
  const data = planClientAuthentication(before, known);
  if (Object.keys(data).some((key) => data[key] !== before[key]))
    await client(ConfigMap).update({ ...found, data: { ...before, ...data } });
}

/**
 * The keys that are this server's, in the form in which kube-apiserver writes them. Servers that share a store may have an authority
 * each, so those that others wrote stay until they have expired. Pure.
 */
export function planClientAuthentication(
  before: Readonly<Record<string, string>>,
  { clientCa, frontProxyCa, frontProxyName, nowMs }: ClientAuthentication,
): Record<string, string> {
  return {
    ...(clientCa !== undefined && { 'client-ca-file': clientCa }),
    ...(frontProxyCa !== undefined && {
      'requestheader-allowed-names': JSON.stringify([frontProxyName]),
      [proxyCaKey]: joinCertificates([before[proxyCaKey] ?? '', frontProxyCa], nowMs),
      'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
      'requestheader-group-headers': '["X-Remote-Group"]',
      'requestheader-uid-headers': '["X-Remote-Uid"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    }),
  };
}

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Each once, in order; what has expired or cannot be read is left out. */
function joinCertificates(bundles: readonly string[], nowMs: number): string {
  const blocks = new Set(bundles.flatMap((bundle) => bundle.match(pemBlock) ?? []));
  return [...blocks]
    .filter((block) => {
      try {
        return Date.parse(new X509Certificate(block).validTo) > nowMs;
      } catch {
        return false;
      }
    })
    .map((block) => `${block}\n`)
    .join('');
}
