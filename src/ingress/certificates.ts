// Certificates from secrets: checked before anything is made of them, since a proxy that is given a broken one serves nothing at all.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Secret } from '../api/index.ts';
import { pairProblem } from '../http/index.ts';

export interface Certificate {
  /** NAMESPACE_SECRET */
  readonly name: string;
  /** Certificate, chain and key. Without empty lines. */
  readonly pem: string;
  /** For which it is shown. */
  readonly hosts: readonly string[];
}

const onePem = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** What a secret of type kubernetes.io/tls holds, or what is wrong with it. */
export function certificateOf({
  data = {},
}: Secret): { readonly pem: string; readonly hosts: readonly string[] } | { readonly problem: string } {
  const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('latin1');
  for (const key of ['tls.crt', 'tls.key']) if (text(key) === '') return { problem: `it has no ${key}` };
  const pair = { cert: text('tls.crt'), key: text('tls.key') };
  const problem = pairProblem(pair);
  if (problem !== undefined) return { problem };
  try {
    // Written anew, so that nothing but what was checked reaches the proxy.
    const chain = (pair.cert.match(onePem) ?? [pair.cert]).map((one) => new X509Certificate(one));
    const key = createPrivateKey(pair.key).export({ type: 'pkcs8', format: 'pem' }).toString();
    const pem = [...chain.map(String), key].join('\n').replace(/\n\s*\n/g, '\n');
    return { pem: pem.endsWith('\n') ? pem : `${pem}\n`, hosts: hostsOf(chain[0]!) };
  } catch {
    return { problem: 'a certificate of its chain cannot be read' };
  }
}

function hostsOf({ subjectAltName = '', subject }: X509Certificate): string[] {
  const named = [...subjectAltName.matchAll(/DNS:([^\s,"]+)/g)].map((match) => match[1]!.toLowerCase());
  if (named.length > 0) return named;
  const common = /^CN=(\S+)$/m.exec(subject)?.[1];
  return common !== undefined && /^[\w*.-]+$/.test(common) ? [common.toLowerCase()] : [];
}
