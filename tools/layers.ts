// Who may import whom: the one table. check-layers.ts enforces it, ARCHITECTURE.md's diagram is made from it.

/** For each top folder of src/: the folders its files may import from (besides itself). */
export const layers: Readonly<Record<string, readonly string[]>> = {
  base: [],
  machinery: ['base'],
  api: ['base', 'machinery'],
  http: ['base'],
  os: ['base'],
  storage: ['base'],
  client: ['base', 'machinery', 'api', 'http'],
  apiserver: ['base', 'machinery', 'api', 'http', 'client', 'storage'],
  controllers: ['base', 'machinery', 'api', 'http', 'client'],
  scheduler: ['base', 'machinery', 'api', 'http', 'client'],
  compat: ['base', 'machinery', 'api', 'http', 'client'],
  node: ['base', 'machinery', 'api', 'http', 'client', 'os'],
  simulation: ['base', 'machinery', 'api', 'http', 'client', 'node'],
  proxy: ['base', 'machinery', 'api', 'http', 'client', 'os'],
  ingress: ['base', 'machinery', 'api', 'http', 'client', 'os'],
  dns: ['base', 'machinery', 'api', 'http', 'client', 'os'],
  cli: ['base', 'machinery', 'api', 'http', 'client', 'os'],
  dashboard: ['base', 'machinery', 'api', 'client'],
  testkit: ['*'],
  app: ['*'],
};
