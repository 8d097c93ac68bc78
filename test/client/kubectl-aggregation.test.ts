// API servers of others, as users of kubectl meet them: a kind that an extension server behind a service answers for looks like any
// other, and when that server stops, it is said so.
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ExtensionServer } from '../../src/testkit/index.ts';
import { findKubectl, findKubectl120, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const today = findKubectl();
const old = findKubectl120();
const name = 'v1alpha1.wardle.example.com';

/** Endpoints are never on the loopback device. */
const address = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

let server: ProgramServer;
let extension: ExtensionServer;
let k: Kubectl;

const objects = () => `
apiVersion: v1
kind: Service
metadata: {name: wardle}
spec: {ports: [{name: https, port: 443, targetPort: ${extension.port}}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: wardle-1, labels: {kubernetes.io/service-name: wardle}}
addressType: IPv4
endpoints: [{addresses: ["${address}"]}]
ports: [{name: https, port: ${extension.port}, protocol: TCP}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: ${name}}
spec:
  group: wardle.example.com
  version: v1alpha1
  groupPriorityMinimum: 1000
  versionPriority: 15
  service: {name: wardle, namespace: default}
  caBundle: ${extension.caBundle}
`;

const flunder = (called: string) => `
apiVersion: wardle.example.com/v1alpha1
kind: Flunder
metadata: {name: ${called}}
spec: {reference: other}
`;

describe.skipIf(today === undefined || address === undefined)('a kind of another API server', () => {
  beforeAll(async () => {
    server = await startProgram({ controllers: true });
    k = new Kubectl({ ...server, program: today! });
    const map = await k.json<{ data: Record<string, string> }>(
      'get configmap -n kube-system extension-apiserver-authentication',
    );
    expect(map.data).toMatchObject({
      'requestheader-allowed-names': '["front-proxy-client"]',
      'requestheader-username-headers': '["X-Remote-User"]',
    });
    extension = await ExtensionServer.start({
      frontProxyCa: map.data['requestheader-client-ca-file']!,
      names: ['wardle.default.svc'],
      host: '0.0.0.0',
    });
    await k.ok('apply -f -', objects());
    await k.ok(`wait --for=condition=Available --timeout=90s apiservice/${name}`);
  });
  afterAll(async () => {
    k?.stop();
    await extension?.stop();
    await server?.stop();
  });

  test('is listed with what there is', async () => {
    await k.says(`get apiservice ${name} --no-headers`, /^\S+ {2}default\/wardle {2}True {2}\S+$/);
    // What it serves is learnt once it is known to be there.
    await k.comesToSay(
      'api-resources --api-group=wardle.example.com --no-headers',
      'flunders  fl  wardle.example.com/v1alpha1  true  Flunder',
    );
    expect((await k.ok('api-versions')).split('\n')).toContain('wardle.example.com/v1alpha1');
  });

  test('is made, read, followed and taken away', async () => {
    extension.asked.length = 0;
    await k.says('create -f -', 'flunder.wardle.example.com/first created', flunder('first'));
    await k.says('get fl -o name', 'flunder.wardle.example.com/first');
    await k.says("get flunder first -o jsonpath='{.spec.reference}'", 'other');
    await k.refuses(
      'get flunders none',
      'Error from server (NotFound): flunders.wardle.example.com "none" not found',
    );
    const followed = k.follow('get flunders -A --watch -o name');
    await followed.until('first');
    await k.ok('create -f -', flunder('second'));
    await followed.until('second');
    followed.stop();
    await k.says('delete flunder first', 'flunder.wardle.example.com "first" deleted');
    expect(extension.names).toEqual(['default/second']);
    const posted = extension.asked.find(({ method }) => method === 'POST');
    expect(posted).toMatchObject({
      shown: 'front-proxy-client',
      user: 'kubernetes-admin',
      groups: ['system:masters', 'system:authenticated'],
    });
    expect(posted?.headers.authorization).toBeUndefined();
  });

  test('is explained by whoever has it', async () => {
    await k.says('explain flunder', /FIELDS:[\s\S]*spec/);
    await k.says('explain flunder.spec.reference', /The name of another flunder\./);
    if (old === undefined) return;
    const k120 = new Kubectl({ ...server, program: old });
    await k120.says('explain flunder.spec.reference', /The name of another flunder\./);
    k120.stop();
  });

  test('goes with its namespace', async () => {
    await k.ok('create namespace brief');
    await k.ok('create -n brief -f -', flunder('there'));
    await k.ok('delete namespace brief --timeout=90s');
    expect(extension.names).toEqual(['default/second']);
  });

  test('is away when its server stops, and gone with its APIService', async () => {
    await extension.stop();
    await k.refuses(
      'get flunders second',
      'Error from server (ServiceUnavailable): the server is currently unable to handle the request (get flunders.wardle.example.com second)',
    );
    await k.ok(`wait --for=condition=Available=False --timeout=90s apiservice/${name}`);
    await k.says(`get apiservice ${name} --no-headers`, /default\/wardle {2}False \(FailedDiscoveryCheck\)/);
    // Who reads aggregated discovery is told that the version is stale; who asks each version for its document hears it from that.
    const all = await k.ok('api-resources --no-headers');
    expect([all.includes('deployments'), all.includes('flunders')]).toEqual([true, false]);
    if (old !== undefined) {
      const k120 = new Kubectl({ ...server, program: old });
      await k120.refuses(
        'api-resources',
        /wardle\.example\.com\/v1alpha1: the server is currently unable to handle the request/,
      );
      k120.stop();
    }
    await extension.listen();
    await k.ok(`wait --for=condition=Available --timeout=90s apiservice/${name}`);
    await k.comesToSay('get flunders -o name', 'flunder.wardle.example.com/second');
    await k.ok('delete endpointslice wardle-1');
    await k.ok(`wait --for=condition=Available=False --timeout=90s apiservice/${name}`);
    await k.says(
      `get apiservice ${name} -o jsonpath='{.status.conditions[0].message}'`,
      /^(cannot find endpointslices for service\/wardle in "default"|endpointslices for service\/wardle in "default" have no addresses with port name "https")$/,
    );
    await k.ok(`delete apiservice ${name}`);
    await k.ok('api-resources');
    await k.refuses('get flunders', 'error: the server doesn\'t have a resource type "flunders"');
  });

  test('takes the place of one that the cluster has itself, and gives it back', async () => {
    const group = 'v1beta1.metrics.k8s.io';
    await k.refuses(`get apiservice ${group}`, /NotFound/);
    await k.ok('get --raw /apis/metrics.k8s.io/v1beta1');
    await k.ok(
      'create -f -',
      `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: ${group}}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: metrics-server, namespace: kube-system}
`,
    );
    await k.refuses('get --raw /apis/metrics.k8s.io/v1beta1', /ServiceUnavailable/);
    await k.comesToSay(
      `get apiservice ${group} --no-headers`,
      /kube-system\/metrics-server {2}False \(ServiceNotFound\)/,
    );
    await k.ok(`delete apiservice ${group}`);
    await k.ok('get --raw /apis/metrics.k8s.io/v1beta1');
  });
});
