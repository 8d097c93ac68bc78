export { type BodyResult, readBody } from './body.ts';
export {
  createCertificateRequest,
  type ReadRequest,
  readCertificateRequest,
  type SigningPolicy,
  signCertificateRequest,
} from './certificate-signing.ts';
export { type Connection, connectionOf, type PeerCertificate } from './connection.ts';
export { connectionWords, tlsWords } from './connection-words.ts';
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
  pairProblem,
} from './pki.ts';
export {
  frontProxyClientName,
  loadOrCreatePki,
  type Pki,
  PkiError,
  type PkiOptions,
  readIfThere,
  writeAtomically,
} from './pki-directory.ts';
export {
  type ForwardEnd,
  type ForwardPair,
  ForwardPairs,
  type ForwardStream,
  parsePort,
} from './port-forward-pairs.ts';
export {
  acceptPortForward,
  type PortForwardOptions,
  type PortForwardSession,
  portForwardRefusal,
} from './port-forward-server.ts';
export {
  encodeTerminalSize,
  exitStatus,
  failureStatus,
  parseStatus,
  type RemoteProcess,
  type RemoteStatus,
  type RemoteStreamOptions,
  type RemoteStreams,
  successStatus,
  type TerminalSize,
} from './remote-command.ts';
export { openRemoteProcess } from './remote-command-client.ts';
export { LocalCommands } from './remote-command-local.ts';
export { type Refusal, refuseUpgrade } from './remote-command-refusal.ts';
export { acceptRemoteCommand, remoteCommandRefusal } from './remote-command-server.ts';
export {
  type HttpsServer,
  type HttpsServerOptions,
  ListenError,
  type ListenErrorCode,
  startHttpsServer,
  type UpgradeHandler,
} from './server.ts';
export {
  readSharedPki,
  type SharedPki,
  type SharedPkiFile,
  sharedPkiFiles,
  writeSharedPki,
} from './shared-pki.ts';
export { SpdyError, type SpdyHeaders } from './spdy-headers.ts';
export { SpdySession, type SpdyStream } from './spdy-session.ts';
export { acceptSpdy, connectSpdy, type Upgrade } from './spdy-upgrade.ts';
export { isWebSocketUpgrade } from './websocket.ts';
export { WebSocketAnswer, type WebSocketFraming } from './websocket-answer.ts';
