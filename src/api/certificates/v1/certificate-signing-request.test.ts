// Requests as openssl made them, and what became of them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Causes } from '../../../machinery/index.ts';
import { complaints, created } from '../../../testkit/index.ts';
import { CertificateRequestError, readCertificateRequest } from './certificate-request.ts';
import {
  CertificateSigningRequest,
  prepareApproval,
  validateApproval,
} from './certificate-signing-request.ts';

const requests = {
  ecdsa: `-----BEGIN CERTIFICATE REQUEST-----
MIHkMIGMAgEAMCoxDDAKBgNVBAoMA2RldjEMMAoGA1UECgwDb3BzMQwwCgYDVQQD
DAN6b2UwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAScXdle9zfttf4oZZt4/1i7
tSkZfdRvjqa2TCP/iiN28s2XCO7g80rog0x47vdX/EihTYTYJMokw2IoHhnSfih1
oAAwCgYIKoZIzj0EAwIDRwAwRAIgbMntK4BpiBf68CA2VaeIFcZpkPa3TYEsHEjY
My9a0kQCIEJmMn7JQ1geLEQ+h/jUOyYZzpfZH8iEju5Y2n4ONwxM
-----END CERTIFICATE REQUEST-----`,
  rsa: `-----BEGIN CERTIFICATE REQUEST-----
MIICbDCCAVQCAQAwJzEXMBUGA1UECgwOc3lzdGVtOm1hc3RlcnMxDDAKBgNVBAMM
A2V2ZTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBANqtQfiU/c2KXODF
24ji1iU3O53n6ldgYP2t8azyOyjFQ+CoPFLpb62mcQETl597HMxvfjfpQNfkxt2h
Ge/GZZ04EIRbUkO63oiT+Q7KWfZSge3HV9+erlqkdQS6iALD0aS9yHYQQk1buS7B
M7uJmKr70gDfYT73mLRp8pD8I3MEw+uw8TxK8zcH6NyTtS7w1RCBS7BctZl4ip0u
IvJn8YfmXkGu3MByhJjLHNR8SpbdMHNe+qXNm7B3Joa+AeUzkSPj3ayN/klpxxj9
+LBTSgkCDT8dvUsIQYDknrimvKk70rrAnhi1b6NACe6swjxtqUm1kqAmiSlWBwkp
pt8Umw0CAwEAAaAAMA0GCSqGSIb3DQEBCwUAA4IBAQASYSslMVVdrmkvtgYsQAsD
1ZtlTTB9m+Fg0ALSvX6BLuIVU28F46OAS6or5XmTwjDge+HDJIM6kDXHBKhZR/B3
Prj9QCwhqPJyhvz7vR6wzx5FutOzTn0W7hHwoj73gRkfJ9VOoCnc3KDoljQWV6kQ
YK3pbIduyVLv3SvvHFBc3Q/TgR0MlG+3c6lFkhVZz2s7IKO8xJBIg+/yWPOr/1+v
ojGIMqWVxJnX65HmbvuZk3Ii+xU9fi38zJAUi18IfV5amKqw8oo77SaUm713j7H+
1+shIAUO98SGeeXs9nW1DGhlaJ/XMRdUkHWvLmwBmdte2AY8TTk88ycAoFZ5rZ1M
-----END CERTIFICATE REQUEST-----`,
  ed25519: `-----BEGIN CERTIFICATE REQUEST-----
MIGMMEACAQAwDTELMAkGA1UEAwwCZWQwKjAFBgMrZXADIQC+BoWgl+AP6+q6yPl3
6+atpED2mP8eEWmvtcAN4hIrUKAAMAUGAytlcANBAFmLJCCfMqVzh3WMN2sHDd2v
9JuPMlNOz5QQtZLuH0J/utuJPNRcXTNe3rlTDidLi75DAa7nPaAC9yOpKVxKog4=
-----END CERTIFICATE REQUEST-----`,
  pss: `-----BEGIN CERTIFICATE REQUEST-----
MIICiDCCATsCAQAwDjEMMAoGA1UEAwwDcHNzMIIBIjANBgkqhkiG9w0BAQEFAAOC
AQ8AMIIBCgKCAQEA2q1B+JT9zYpc4MXbiOLWJTc7nefqV2Bg/a3xrPI7KMVD4Kg8
UulvraZxAROXn3sczG9+N+lA1+TG3aEZ78ZlnTgQhFtSQ7reiJP5DspZ9lKB7cdX
356uWqR1BLqIAsPRpL3IdhBCTVu5LsEzu4mYqvvSAN9hPveYtGnykPwjcwTD67Dx
PErzNwfo3JO1LvDVEIFLsFy1mXiKnS4i8mfxh+ZeQa7cwHKEmMsc1HxKlt0wc176
pc2bsHcmhr4B5TORI+PdrI3+SWnHGP34sFNKCQINPx29SwhBgOSeuKa8qTvSusCe
GLVvo0AJ7qzCPG2pSbWSoCaJKVYHCSmm3xSbDQIDAQABoAAwQgYJKoZIhvcNAQEK
MDWgDzANBglghkgBZQMEAgIFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgIF
AKIEAgIAzgOCAQEAFzXDx2/VZ6I4QFz1FzarYQdn6+W/XPwNasXg4CvbZgmieYk2
M38Ur168MqnZ2n+eWJnanKbp8vcUAjD+lEAPLTR0GG28LLYK1q5rkdX0W9P6XPnf
Xzjs1wnZYLTU5lzitwpr+63uyxBL/UOQ7V8+dFkr4VogrOnNArXDoPPB3D61zj7c
CJDc8MJ8VP6LwCpEusmTp6vHZxEsgbTNr13rn9LC2VgCRiJ5VKakFWBzQ5evFIz8
6VyAhaoyUXfJtDvpV9ebqrAmrT6gZknARnUvordzTKU5fpXtr0DF0slb4K+ZR5Tn
+2dUtiY7wUWN9rhvA7RikHpE/HZXB+0ylqIosw==
-----END CERTIFICATE REQUEST-----`,
  sha1: `-----BEGIN CERTIFICATE REQUEST-----
MIICUzCCATsCAQAwDjEMMAoGA1UEAwwDb2xkMIIBIjANBgkqhkiG9w0BAQEFAAOC
AQ8AMIIBCgKCAQEA2q1B+JT9zYpc4MXbiOLWJTc7nefqV2Bg/a3xrPI7KMVD4Kg8
UulvraZxAROXn3sczG9+N+lA1+TG3aEZ78ZlnTgQhFtSQ7reiJP5DspZ9lKB7cdX
356uWqR1BLqIAsPRpL3IdhBCTVu5LsEzu4mYqvvSAN9hPveYtGnykPwjcwTD67Dx
PErzNwfo3JO1LvDVEIFLsFy1mXiKnS4i8mfxh+ZeQa7cwHKEmMsc1HxKlt0wc176
pc2bsHcmhr4B5TORI+PdrI3+SWnHGP34sFNKCQINPx29SwhBgOSeuKa8qTvSusCe
GLVvo0AJ7qzCPG2pSbWSoCaJKVYHCSmm3xSbDQIDAQABoAAwDQYJKoZIhvcNAQEF
BQADggEBAKYIQEn6GXbyoiH3rzaYOfgKIDeSAyW1HnqT29/Af6hpoEUwiQlSwH8+
NmLTVh0lyFvu6rAzptDqoyqfJbrL3PgFc2cuom8Pwq2TAjdGkV1aFsIyhnZFSjnZ
5rgv26SCuVWPZViyxmawAxz5kRuIX8XsUqmjf1pxo2tVO0kBoGIQtaCIOeRvHQh1
nPfAWPJCozmDQ6LojcVn9deXw0I2xScb7BVZK9rHv+lelDO75FVJCmnVSEXnRTRS
+MopHMoB/+2GqoweoIfq9lTJMb9nzZGp7geTtQxVWVZU9NMAyHl0yLcFqASR/kR1
/ZqSmeDTnh4Z2qts1M58N2cTLds7cUg=
-----END CERTIFICATE REQUEST-----`,
} as const;

const base64 = (pem: string) => Buffer.from(pem).toString('base64');
const der = Buffer.from(requests.ecdsa.split('\n').slice(1, -1).join(''), 'base64');
const pemOf = (bytes: Buffer) =>
  `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;

describe('a request', () => {
  it.each([
    ['ecdsa', { commonName: 'zoe', organizations: ['dev', 'ops'] }],
    ['rsa', { commonName: 'eve', organizations: ['system:masters'] }],
    ['ed25519', { commonName: 'ed', organizations: [] }],
    ['pss', { commonName: 'pss', organizations: [] }],
  ] as const)('signed with %s is read', (name, subject) => {
    expect(readCertificateRequest(requests[name])).toEqual(subject);
  });

  it.each([
    ['no PEM', 'x', 'PEM block type must be CERTIFICATE REQUEST'],
    [
      'another block',
      requests.rsa.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE'),
      'PEM block type must be CERTIFICATE REQUEST',
    ],
    ['half of it', pemOf(der.subarray(0, 80)), 'asn1: syntax error: data truncated'],
    ['more than it', pemOf(Buffer.concat([der, Buffer.from([0])])), 'asn1: syntax error: trailing data'],
    ['text', pemOf(Buffer.from('hello')), "asn1: structure error: tags don't match"],
    ['a weak hash', requests.sha1, 'x509: cannot verify signature: insecure algorithm SHA1-RSA'],
    [
      'another name than was signed',
      pemOf(Buffer.from(der.toString('latin1').replace('zoe', 'zoo'), 'latin1')),
      'x509: ECDSA verification failure',
    ],
  ])('is refused when it is %s', (_, pem, message) => {
    expect(() => readCertificateRequest(pem)).toThrow(message);
  });

  it('with any byte changed is refused, in words', () => {
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const bytes = Buffer.from(der);
        bytes[at] = bytes[at]! ^ by;
        expect(() => readCertificateRequest(pemOf(bytes))).toThrow(CertificateRequestError);
      }),
      { numRuns: 300 },
    );
  });
});

const spec = { request: base64(requests.ecdsa), signerName: 'example.com/a', usages: ['client auth'] };
const fresh = () => created(CertificateSigningRequest, { spec });
type Condition = {
  type: string;
  status: string;
  lastUpdateTime?: string;
  lastTransitionTime?: string;
  reason?: string;
};
const withConditions = (...conditions: Condition[]) => {
  const csr = fresh();
  csr.status = { conditions: conditions as never };
  return csr;
};
const nowMs = Date.UTC(2026, 5, 1);
const now = '2026-06-01T00:00:00Z';

it.each([
  [{}, []],
  [
    { request: base64('x') },
    [`spec.request: Invalid value: "${base64('x')}": PEM block type must be CERTIFICATE REQUEST`],
  ],
  [{ usages: ['client auth', 'client auth'] }, ['spec.usages[1]: Duplicate value: "client auth"']],
  [{ usages: [] }, ['spec.usages: Required value: usages must be provided']],
  [
    { expirationSeconds: 599 },
    [
      'spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)',
    ],
  ],
  [
    { signerName: 'kubernetes.io/legacy-unknown' },
    [
      'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
    ],
  ],
  [
    { signerName: 'a/b' },
    ['spec.signerName: Invalid value: "a": should be a domain with at least two segments separated by dots'],
  ],
])('says of %j', (changed, wanted) => {
  expect(
    complaints(
      CertificateSigningRequest,
      created(CertificateSigningRequest, { spec: { ...spec, ...changed } }),
    ),
  ).toEqual(wanted);
});

describe('approval', () => {
  const decide = (csr: CertificateSigningRequest, old: CertificateSigningRequest) => {
    const causes = new Causes();
    prepareApproval(csr, old, { nowMs });
    validateApproval(csr, old, causes);
    return causes.list.map((c) => `${c.field}: ${c.message}`);
  };

  it('dates the decision and changes nothing else', () => {
    const old = fresh();
    const csr = withConditions({ type: 'Approved', status: 'True' });
    csr.spec.signerName = 'example.com/b';
    csr.status!.certificate = base64('x');
    expect(decide(csr, old)).toEqual([]);
    expect(csr.spec).toEqual(old.spec);
    expect(csr.status).toEqual({
      conditions: [{ type: 'Approved', status: 'True', lastUpdateTime: now, lastTransitionTime: now }],
    });
  });

  const approved = { type: 'Approved', status: 'True' };
  const denied = { type: 'Denied', status: 'True' };
  it.each([
    [[approved], [], ['status.conditions: Forbidden: updates may not remove a condition of type "Approved"']],
    [
      [approved],
      [approved, denied],
      [
        'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
      ],
    ],
    [
      [],
      [{ ...approved, status: 'False' }],
      ['status.conditions[0].status: Unsupported value: "False": supported values: "True"'],
    ],
    [[], [approved, approved], ['status.conditions[1].type: Duplicate value: "Approved"']],
  ])('of %j as %j', (before, after, wanted) => {
    expect(decide(withConditions(...after), withConditions(...before))).toEqual(wanted);
  });
});

describe('a report', () => {
  const report = (csr: CertificateSigningRequest, old: CertificateSigningRequest) => {
    const causes = new Causes();
    CertificateSigningRequest.prepareStatus!(csr, old, { nowMs });
    CertificateSigningRequest.validateStatus!(csr, old, causes);
    return causes.list.map((c) => `${c.field}: ${c.message}`);
  };
  const issued = (certificate: string) => {
    const csr = fresh();
    csr.status = { certificate };
    return csr;
  };

  it('cannot decide, nor change a decision', () => {
    const approved = {
      type: 'Approved',
      status: 'True',
      reason: 'A',
      lastUpdateTime: now,
      lastTransitionTime: now,
    };
    expect(report(withConditions(approved), fresh())).toEqual([
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    ]);
    const other = withConditions({ ...approved, reason: 'B' });
    expect(report(other, withConditions(approved))).toEqual([]);
    expect(other.status?.conditions?.[0]?.reason).toBe('A');
  });

  it.each([
    [
      '',
      base64('x'),
      [
        'status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block',
      ],
    ],
    [
      '',
      base64(requests.rsa),
      [
        'status.certificate: Invalid value: "<certificate data>": only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"',
      ],
    ],
    ['a', '', ['status.certificate: Forbidden: updates may not modify existing certificate content']],
  ])('with the certificate %j as %j', (before, after, wanted) => {
    expect(report(issued(after), issued(before))).toEqual(wanted);
  });
});
