export { type BodyResult, readBody } from './body.ts';
export { type Connection, connectionOf, type PeerCertificate } from './connection.ts';
export type { HttpRequest, HttpResponse, RequestHandler } from './exchange.ts';
export {
  ConnectionError,
  type ConnectionErrorCode,
  createHttpsClient,
  type HttpsAnswer,
  type HttpsCall,
  type HttpsClient,
  type HttpsClientOptions,
  type UpgradedConnection,
} from './https-client.ts';
export {
  type CertificateRequest,
  createCa,
  createKeyPair,
  issueCertificate,
  type KeyPairPem,
} from './pki.ts';
export { loadOrCreatePki, type Pki, PkiError, type PkiOptions } from './pki-directory.ts';
export {
  type HttpsServer,
  type HttpsServerOptions,
  ListenError,
  type ListenErrorCode,
  startHttpsServer,
  type UpgradeHandler,
} from './server.ts';
