// Secret: data for pods that should not be shown. Some types promise certain keys.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  at,
  type Causes,
  checkConfigMapKey,
  defineKind,
  immutableMessage,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { Secret as SecretObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { dataLimitBytes, decodedBytes, validateImmutable } from './config-map.ts';

export type Secret = SecretObject;

const serviceAccountAnnotation = 'kubernetes.io/service-account.name';

export const Secret = defineKind<SecretObject>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  scope: 'Namespaced',
  schema: shape('core.v1.Secret'),
  columns: [
    nameColumn,
    {
      name: 'Type',
      type: 'string',
      description: 'What the data is for.',
      cell: (secret) => secret.type ?? '',
    },
    {
      name: 'Data',
      type: 'string',
      description: 'How many keys it has.',
      cell: (secret) => Object.keys(secret.data ?? {}).length,
    },
    ageColumn,
  ],
  selectableFields: { type: (secret) => secret.type ?? '' },

  defaults(secret) {
    secret.type ||= 'Opaque';
    if (secret.stringData === undefined) return;
    // write-only: it overrides data and is never stored
    secret.data = { ...secret.data };
    for (const [key, text] of Object.entries(secret.stringData))
      secret.data[key] = Buffer.from(text).toString('base64');
    delete secret.stringData;
  },

  validate(secret, old, causes) {
    if (old !== undefined) {
      if (secret.type !== old.type) causes.invalid('type', secret.type ?? '', immutableMessage);
      validateImmutable(secret, old, ['data'], causes);
    }
    const data = secret.data ?? {};
    let bytes = 0;
    for (const key of Object.keys(data).sort()) {
      for (const message of checkConfigMapKey(key)) causes.invalid(at.key('data', key), key, message);
      bytes += decodedBytes(data[key]!);
    }
    if (bytes > dataLimitBytes) causes.tooLong('data', dataLimitBytes);
    validateType(secret, data, causes);
  },

  warn: (secret) => (secret.type === 'kubernetes.io/tls' ? warnKeyPair(secret.data ?? {}) : []),
});

function validateType(secret: SecretObject, data: Readonly<Record<string, string>>, causes: Causes): void {
  const requireKey = (key: string): boolean => {
    if (Object.hasOwn(data, key)) return true;
    causes.required(at.key('data', key));
    return false;
  };
  switch (secret.type) {
    case 'kubernetes.io/service-account-token':
      if (!secret.metadata.annotations?.[serviceAccountAnnotation])
        causes.required(at.key('metadata.annotations', serviceAccountAnnotation));
      break;
    case 'kubernetes.io/dockercfg':
      if (requireKey('.dockercfg')) validateJsonObject(data, '.dockercfg', causes);
      break;
    case 'kubernetes.io/dockerconfigjson':
      if (requireKey('.dockerconfigjson')) validateJsonObject(data, '.dockerconfigjson', causes);
      break;
    case 'kubernetes.io/basic-auth':
      // either may be empty, and one is enough. The paths are those that Kubernetes prints.
      if (!Object.hasOwn(data, 'username') && !Object.hasOwn(data, 'password')) {
        causes.required('data[%s][username]');
        causes.required('data[%s][password]');
      }
      break;
    case 'kubernetes.io/ssh-auth':
      if (!data['ssh-privatekey']) causes.required('data[%s][ssh-privatekey]');
      break;
    case 'kubernetes.io/tls':
      requireKey('tls.crt');
      requireKey('tls.key');
      break;
    default:
  }
}

/** The content itself is never repeated in a message. */
function validateJsonObject(data: Readonly<Record<string, string>>, key: string, causes: Causes): void {
  const text = Buffer.from(data[key]!, 'base64').toString('utf8');
  let why: string | undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || Array.isArray(value))
      why = `json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type map[string]interface {}`;
  } catch {
    why = text.trim() === '' ? 'unexpected end of JSON input' : 'the value is not valid JSON';
  }
  if (why !== undefined) causes.invalid(at.key('data', key), '<secret contents redacted>', why);
}

function warnKeyPair(data: Readonly<Record<string, string>>): readonly string[] {
  const read = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString('latin1');
  const certificate = read('tls.crt');
  const key = read('tls.key');
  if (!certificate.includes('-----BEGIN ')) return ['tls: failed to find any PEM data in certificate input'];
  if (!key.includes('-----BEGIN ')) return ['tls: failed to find any PEM data in key input'];
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
      ? []
      : ['tls: private key does not match public key'];
  } catch {
    return ['tls: failed to parse the certificate or the private key'];
  }
}
