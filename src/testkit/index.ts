export {
  ApiFixture,
  type ApiFixtureOptions,
  type Asking,
  FakeResponse,
  plainServer,
  type Told,
} from './api-fixture.ts';
export { httpsApiServer, inProcessApiServer, type ServedTransport } from './api-servers.ts';
export { type ArbitraryOptions, arbitraryObject, arbitraryValue, fullObject } from './arbitrary.ts';
export * from './builders.ts';
export { ControlPlane, type ControlPlaneOptions } from './control-plane.ts';
export {
  ControllerHarness,
  disorderly,
  type HarnessOptions,
  type RecordedEvent,
} from './controller-harness.ts';
export * from './device-builders.ts';
export { EtcdProcess, type EtcdProcessOptions, whyNoEtcd } from './etcd-process.ts';
export {
  ExtensionServer,
  type ExtensionServerOptions,
  flunderGroup,
  type ToldOf,
} from './extension-server.ts';
export { deepFreeze } from './fake-objects.ts';
export { type Delivery, type FakeCall, FakeTransport, type FakeTransportOptions } from './fake-transport.ts';
export { freePort } from './free-port.ts';
export { complaints, created, settleBody, updated } from './kind-check.ts';
export { type ReadFamily, type ReadSample, readMetrics, sampleOf } from './metrics-text.ts';
export { PluginFixture, refusalsOf } from './plugin-fixture.ts';
export * from './policy-worlds.ts';
export { SimulatedNode, type SimulatedNodeOptions } from './simulated-node.ts';
export * from './storage-builders.ts';
export { type AskedWebhook, WebhookServer } from './webhook-server.ts';
