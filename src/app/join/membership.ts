// The certificates of a node that joined, as its agent uses them: the serving certificate to begin with, and the replacement of both.
import type { Clock, Log, Random, Scope } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import {
  createCa,
  type HttpsClient,
  type HttpsServer,
  issueCertificate,
  type KeyPairPem,
} from '../../http/index.ts';
import type { CertificateMetrics } from './certificate-metrics.ts';
import type { Membership } from './join.ts';
import { nodeClient, nodeServing } from './request-certificate.ts';
import { covers, keepCertificate } from './rotation.ts';

export interface NodeNames {
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
}

/**
 * What the node's HTTPS server shows at first: the certificate that is kept, else one that nobody trusts, until the cluster has signed one,
 * which it does only when the node has told its addresses.
 */
export async function firstServing(
  { store }: Membership,
  { nodeName, nodeIps }: NodeNames,
  clock: Clock,
): Promise<KeyPairPem> {
  const kept = keptServing(store, { nodeName, nodeIps }, clock);
  if (kept !== undefined) return kept;
  const nowMs = clock.nowMs();
  const commonName = `${nodeName}-temporary`;
  const ca = await createCa({ commonName, days: 1, nowMs });
  return issueCertificate(ca, { commonName, ips: nodeIps, usage: 'server', days: 1 }, nowMs);
}

const keptServing = (
  store: Membership['store'],
  { nodeName, nodeIps }: NodeNames,
  clock: Clock,
): KeyPairPem | undefined => {
  const kept = store.read('serving');
  return kept !== undefined && covers(kept, nodeServing(nodeName, nodeIps), clock.nowMs()) ? kept : undefined;
};

export interface KeepMembershipOptions extends NodeNames {
  readonly membership: Membership;
  readonly client: Client;
  /** Over which the client talks. */
  readonly http: Pick<HttpsClient, 'setCertificate'>;
  /** The node's own; undefined = its certificate is somebody else's to keep. */
  readonly server: Pick<HttpsServer, 'setCertificate'> | undefined;
  readonly metrics: CertificateMetrics;
  readonly scope: Scope;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Called when the node is registered. Goes on until the scope stops. */
export function keepMembership(options: KeepMembershipOptions): void {
  const { membership, nodeName, nodeIps, http, server, metrics, scope, clock } = options;
  const { store } = membership;
  const parts = { ...options, store };
  metrics.keeps('client');
  scope.run('client certificate', (signal) =>
    keepCertificate(
      {
        ...parts,
        name: 'client',
        wanted: nodeClient(nodeName),
        current: membership.client,
        onReplaced: ({ cert, key }) => {
          http.setCertificate(cert, key);
          metrics.replaced('client', cert);
        },
        onFailed: () => metrics.failed('client'),
      },
      signal,
    ),
  );
  if (server === undefined) return;
  metrics.keeps('serving');
  scope.run('serving certificate', (signal) =>
    keepCertificate(
      {
        ...parts,
        name: 'serving',
        wanted: nodeServing(nodeName, nodeIps),
        current: keptServing(store, options, clock),
        onReplaced: ({ cert, key }) => {
          server.setCertificate(cert, key);
          metrics.replaced('serving', cert);
        },
        onFailed: () => metrics.failed('serving'),
      },
      signal,
    ),
  );
}
