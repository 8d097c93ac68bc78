import { expect, it } from 'vitest';
import { connectionWords } from './connection-words.ts';
import { ConnectionError, type ConnectionErrorCode } from './https-client.ts';

const unverified = 'tls: failed to verify certificate: x509:';
const mismatch = (host: string, subjectaltname?: string) => ({
  code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  host,
  cert: { subjectaltname },
});

it.each<[ConnectionErrorCode, object, string]>([
  ['refused', {}, 'dial tcp 10.0.0.1:443: connect: connection refused'],
  ['unreachable', {}, 'dial tcp 10.0.0.1:443: connect: no route to host'],
  ['reset', {}, 'EOF'],
  ['closed', {}, 'as Node says'],
  ['tls', { code: 'ERR_TLS_OTHER' }, 'as Node says'],
  ['tls', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, `${unverified} certificate signed by unknown authority`],
  ['tls', { code: 'CERT_HAS_EXPIRED' }, `${unverified} certificate has expired or is not yet valid`],
  [
    'tls',
    mismatch('hook.ops.svc.', 'DNS:a, DNS:b, IP Address:10.0.0.2'),
    `${unverified} certificate is valid for a, b, not hook.ops.svc`,
  ],
  [
    'tls',
    mismatch('hook.ops.svc'),
    `${unverified} certificate is not valid for any names, but wanted to match hook.ops.svc`,
  ],
  [
    'tls',
    mismatch('10.0.0.1', 'DNS:a'),
    `${unverified} cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs`,
  ],
  [
    'tls',
    mismatch('10.0.0.1', 'IP Address:10.0.0.2'),
    `${unverified} certificate is valid for 10.0.0.2, not 10.0.0.1`,
  ],
  [
    'tls',
    { code: 'EPROTO', message: 'error:0A00010B:SSL routines:ssl3_get_record:wrong version number:' },
    'http: server gave HTTP response to HTTPS client',
  ],
])('%s %j: %s', (code, cause, said) => {
  const error = new ConnectionError(code, 'as Node says', cause);
  expect(connectionWords(error, 'https://10.0.0.1:443')).toBe(said);
});

it('keeps what is no connection', () => expect(connectionWords(new Error('odd'), 'https://a:1')).toBe('odd'));
