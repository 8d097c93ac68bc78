// Signs approved requests for Kubernetes' own signers with the cluster's CA. The choice: the key comes in as an argument, so that only
// whoever wires the program decides which process holds it; without one nothing is signed.
import { CertificateSigningRequest } from '../../api/index.ts';
import { type KeyPairPem, readCertificateRequest, signCertificateRequest } from '../../http/index.ts';
import { type Controller, defineController } from '../framework/index.ts';
import { isToSign, planFailure, planValidity } from './plan.ts';
import { ruleOf } from './rules.ts';

export interface CertificateSignerOptions {
  readonly ca: KeyPairPem;
  /** The longest life of a certificate, and that of one that asks for none. */
  readonly durationMs: number;
}

export function certificateSignerController({ ca, durationMs }: CertificateSignerOptions): Controller {
  return defineController({
    name: 'csrsigning',
    reconciles: CertificateSigningRequest,
    concurrency: 2,

    build({ clock, lister, client }) {
      const requests = lister(CertificateSigningRequest);

      return async function reconcile(key) {
        const csr = requests.get(key);
        if (csr === undefined || !isToSign(csr)) return;
        const { request, signerName, usages = [], expirationSeconds } = csr.spec;
        const rule = ruleOf.get(signerName);
        if (rule === undefined) return;
        const pem = Buffer.from(request, 'base64').toString('latin1');
        const fault = rule(await readCertificateRequest(pem), usages);
        const status =
          fault !== undefined
            ? planFailure(csr, fault)
            : {
                ...csr.status,
                certificate: Buffer.from(
                  await signCertificateRequest(ca, pem, {
                    usages,
                    ...planValidity(expirationSeconds, durationMs, clock.nowMs()),
                  }),
                ).toString('base64'),
              };
        await client(CertificateSigningRequest).updateStatus({ ...csr, status });
      };
    },
  });
}
