// The certificates of a node that joined, in its state directory: `pki/ca.crt`, `pki/client.pem` and `pki/serving.pem`, and what it was
// told of the cluster, `pki/cluster.json`. The choice: a certificate and its key are one file that is replaced whole, so that there is
// never a key without its certificate.
import { X509Certificate } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CommandFailure } from '../../cli/index.ts';
import type { KeyPairPem } from '../../http/index.ts';
import { type ClusterSettings, readSettings } from './cluster-settings.ts';

export type CertificateName = 'client' | 'serving';

const pairForm =
  /(-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n)[\s\S]*?(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----\n)/;

export class CertificateStore {
  readonly directory: string;

  constructor(stateDir: string) {
    this.directory = join(stateDir, 'pki');
  }

  /** PEM. undefined = this node has not joined yet. */
  readAuthority(): string | undefined {
    return this.#read('ca.crt');
  }

  /** undefined = none, or none that can be used. */
  read(name: CertificateName): KeyPairPem | undefined {
    const [, cert, key] = pairForm.exec(this.#read(`${name}.pem`) ?? '') ?? [];
    if (cert === undefined || key === undefined) return undefined;
    try {
      new X509Certificate(cert);
    } catch {
      return undefined;
    }
    return { cert, key };
  }

  writeAuthority(ca: string): void {
    this.#write('ca.crt', ca);
  }

  /** undefined = nothing was told, or nothing that can be read. */
  readSettings(): ClusterSettings | undefined {
    try {
      return readSettings(JSON.parse(this.#read('cluster.json') ?? 'null') ?? {});
    } catch {
      return undefined;
    }
  }

  writeSettings({ clusterCidr, clusterDomain, clusterDns }: ClusterSettings): void {
    const data = { clusterCidr, clusterDomain, clusterDns: clusterDns.join(',') };
    this.#write('cluster.json', `${JSON.stringify(data, null, 2)}\n`);
  }

  write(name: CertificateName, { cert, key }: KeyPairPem): void {
    this.#write(`${name}.pem`, `${cert}${key}`);
  }

  #read(file: string): string | undefined {
    const path = join(this.directory, file);
    if (!existsSync(path)) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new CommandFailure(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  #write(name: string, text: string): void {
    const path = join(this.directory, name);
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      const next = `${path}.new`;
      const file = openSync(next, 'w', 0o600);
      try {
        // The mode of an older, left-over file would have been kept.
        chmodSync(next, 0o600);
        writeSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(next, path);
    } catch (error) {
      throw new CommandFailure(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
    }
  }
}
