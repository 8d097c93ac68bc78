// The certificates that a server is using, to show them to clients, nodes and other servers. The choice: they are asked for each time
// they are needed, so that whoever holds one of these uses the renewed ones from the next connection on.
import { X509Certificate } from 'node:crypto';
import type { ApiServerOptions, FrontProxy } from '../apiserver/index.ts';
import type { HttpsServer, KeyPairPem, Pki } from '../http/index.ts';
import { keepCertificates, type RenewalOptions } from './certificate-renewal.ts';

/** Reads the certificate directory, and makes what is missing in it or about to expire. */
export type LoadPki = () => Promise<Pki>;

export class ServerCertificates {
  #pki: Pki;
  readonly #load: LoadPki;
  /** As a client of nodes. */
  readonly toNodes: ApiServerOptions['nodeCredentials'];
  /** As a client of other API servers. */
  readonly toServers: FrontProxy;

  private constructor(pki: Pki, load: LoadPki) {
    this.#pki = pki;
    this.#load = load;
    const inUse = () => this.#pki;
    this.toNodes = {
      get cert() {
        return inUse().kubeletClient.cert;
      },
      get key() {
        return inUse().kubeletClient.key;
      },
      ca: pki.ca.cert,
    };
    this.toServers = {
      get cert() {
        return inUse().frontProxy.client.cert;
      },
      get key() {
        return inUse().frontProxy.client.key;
      },
      get ca() {
        return inUse().frontProxy.ca;
      },
    };
  }

  /** Rejects with PkiError. */
  static async open(load: LoadPki): Promise<ServerCertificates> {
    return new ServerCertificates(await load(), load);
  }

  /** Those in use now. */
  get pki(): Pki {
    return this.#pki;
  }

  /** For the HTTPS server. */
  get serving(): KeyPairPem {
    const { serving, ca } = this.#pki;
    return { cert: withAuthority(serving.cert, ca), key: serving.key };
  }

  /** The names and addresses for which the server's certificate is. */
  get servingNames(): readonly string[] {
    const { subjectAltName = '' } = new X509Certificate(this.#pki.serving.cert);
    return subjectAltName.split(', ').map((name) => name.replace(/^[^:]*:/, ''));
  }

  /** Renews them until the signal aborts. `onRenewed` is called when the new ones are in use. */
  keep(
    { https, onRenewed, clock, log }: Pick<RenewalOptions, 'https' | 'onRenewed' | 'clock' | 'log'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { ca } = this.#pki;
    const serving: Pick<HttpsServer, 'setCertificate'> = {
      setCertificate: (cert, key) => https.setCertificate(withAuthority(cert, ca), key),
    };
    const take = (renewed: Pki) => {
      this.#pki = renewed;
      return onRenewed(renewed);
    };
    return keepCertificates(
      { pki: this.#pki, load: this.#load, https: serving, onRenewed: take, clock, log },
      signal,
    );
  }
}

/** A machine that joins learns the CA from the handshake and compares it with the hash in its token: app/join. */
const withAuthority = (cert: string, ca: Pki['ca']): string => `${cert}${ca.cert}`;
