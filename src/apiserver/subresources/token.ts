// serviceaccounts/token: this server signs no tokens yet. It says so, so that nobody takes the account for missing.
import { type RequestBody, shape } from '../../api/index.ts';
import { StatusError } from '../../machinery/index.ts';
import { requireEntry } from '../registry/core.ts';
import { decodeRequestBody } from '../registry/decode.ts';
import type { Subresource } from './subresource.ts';

const tokenRequest: RequestBody = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  schema: shape('authentication.v1.TokenRequest'),
};

export const token: Subresource = {
  name: 'token',
  verbs: ['create'],
  body: tokenRequest,
  appliesTo: (kind) => kind.group === '' && kind.kind === 'ServiceAccount',

  async handle(core, { at, body, context }) {
    decodeRequestBody(tokenRequest, body, context);
    requireEntry(core, at);
    throw new StatusError(501, 'Unknown', 'this server does not issue service account tokens');
  },
};
