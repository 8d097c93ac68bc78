// Commands about the cluster and oneself rather than about an object: discovery, explain, raw paths, auth, certificates, config.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl();
let server: ProgramServer;
let k: Kubectl;

describe.skipIf(program === undefined)('kubectl', () => {
  beforeAll(async () => {
    server = await startProgram();
    k = new Kubectl(server);
  });
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  test('version, cluster-info, config', async () => {
    await k.says('version', /\nServer Version: v1\.35\.\d+\S*/);
    const version = await k.json<{ serverVersion: Record<string, string> }>('version');
    expect(version.serverVersion).toMatchObject({
      major: '1',
      minor: '35',
      platform: expect.stringContaining('/'),
    });
    const plain = (text: string) => text.replaceAll(/\x1b\[[\d;]*m/g, '');
    expect(plain(await k.ok('cluster-info'))).toMatch(
      `Kubernetes control plane is running at ${server.url}\n`,
    );
    const dump = await k.ok('cluster-info dump --namespaces default');
    for (const kind of [
      'NodeList',
      'EventList',
      'ReplicationControllerList',
      'ServiceList',
      'DaemonSetList',
      'DeploymentList',
      'ReplicaSetList',
      'PodList',
    ])
      expect(dump).toContain(`"kind": "${kind}"`);
    const context = (await k.ok('config current-context')).trim();
    await k.says('config get-contexts -o name', context);
    await k.says("config view --minify -o jsonpath='{.clusters[0].cluster.server}'", server.url);
  });

  test('api-resources and api-versions', async () => {
    const resources = await k.ok('api-resources --no-headers');
    expect(resources).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment$/m);
    expect(resources).toMatch(/^nodes +no +v1 +false +Node$/m);
    expect(resources).toMatch(/^bindings +v1 +true +Binding$/m);
    expect(resources).toMatch(/^ingresses +ing +networking.k8s.io\/v1 +true +Ingress$/m);
    await k.says(
      'api-resources --api-group=batch -o wide --no-headers',
      'cronjobs  cj  batch/v1  true  CronJob  create,delete,deletecollection,get,list,patch,update,watch  all\njobs  batch/v1  true  Job  create,delete,deletecollection,get,list,patch,update,watch  all',
    );
    const clusterWide = (await k.ok('api-resources --verbs=list --namespaced=false -o name')).split('\n');
    expect(clusterWide).toEqual(expect.arrayContaining(['namespaces', 'storageclasses.storage.k8s.io']));
    expect(clusterWide).not.toContain('pods');
    expect((await k.ok('api-versions')).trim().split('\n')).toEqual(
      expect.arrayContaining([
        'apps/v1',
        'autoscaling/v2',
        'batch/v1',
        'events.k8s.io/v1',
        'policy/v1',
        'resource.k8s.io/v1',
        'v1',
      ]),
    );
  });

  test('explain', async () => {
    const field = await k.ok('explain deployment.spec.template.spec.containers.resources');
    expect(field).toMatch(
      /^GROUP: +apps\nKIND: +Deployment\nVERSION: +v1\n\nFIELD: resources <ResourceRequirements>/,
    );
    expect(field).toMatch(/ {2}requests\t<map\[string\]Quantity>/);
    expect(await k.ok('explain pods --recursive')).toMatch(/terminationGracePeriodSeconds\t<integer>/);
    expect(await k.ok('explain hpa --api-version=autoscaling/v1')).toMatch(
      /^GROUP: +autoscaling\nKIND: +HorizontalPodAutoscaler\nVERSION: +v1\n/,
    );
    expect(await k.ok('explain svc.spec.type')).toMatch(/FIELD: type <string>\nENUM:\n {4}ClusterIP/);
    await k.refuses('explain pods.spec.none', /error: field "none" does not exist$/);
    await k.refuses('explain unicorns', `the server doesn't have a resource type "unicorns"`);
  });

  test('raw paths', async () => {
    expect(JSON.parse(await k.ok('get --raw /version'))).toMatchObject({ major: '1', minor: '35' });
    expect(await k.ok('get --raw /readyz?verbose')).toContain('readyz check passed');
    expect(await k.ok('get --raw /livez')).toBe('ok');
    expect(JSON.parse(await k.ok('get --raw /apis/apps/v1'))).toMatchObject({
      kind: 'APIResourceList',
      groupVersion: 'apps/v1',
    });
    expect(Object.keys(JSON.parse(await k.ok('get --raw /openapi/v3')).paths)).toContain('apis/apps/v1');
    const cms = '/api/v1/namespaces/default/configmaps';
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'raw' }, data: { a: 'b' } };
    expect(JSON.parse(await k.ok(`create --raw ${cms} -f -`, JSON.stringify(body)))).toMatchObject(body);
    expect(JSON.parse(await k.ok(`get --raw ${cms}?labelSelector=x%3Dy`))).toMatchObject({
      kind: 'ConfigMapList',
      items: [],
    });
    expect(
      JSON.parse(await k.ok(`replace --raw ${cms}/raw -f -`, JSON.stringify({ ...body, data: {} }))).data,
    ).toBeUndefined();
    expect(JSON.parse(await k.ok(`delete --raw ${cms}/raw`))).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'raw', kind: 'configmaps' },
    });
    await k.refuses(`delete --raw ${cms}/raw`, 'Error from server (NotFound): configmaps "raw" not found');
    await k.refuses(
      'get --raw /apis/none',
      'Error from server (NotFound): the server could not find the requested resource',
    );
  });

  test('auth', async () => {
    await k.says('auth can-i create pods', 'yes');
    expect(await k.run('auth can-i create pods --as alice')).toMatchObject({ code: 1, out: 'no\n' });
    await k.says('get ns default -o name --as alice --as-group system:masters', 'namespace/default');
    await k.says('auth whoami -o jsonpath={.status.userInfo.groups}', /system:masters.*system:authenticated/);
    await k.says('auth whoami --as alice --as-group devs -o jsonpath={.status.userInfo.username}', 'alice');
    await k.says('auth can-i --list --no-headers', /\*\.\*/);
  });

  test('certificate approve and deny', async () => {
    const key = path.join(k.dir, 'csr.key');
    const made = spawnSync(
      'openssl',
      ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-subj', '/CN=alice/O=devs'],
      { encoding: 'utf8' },
    );
    expect(made.status).toBe(0);
    fs.rmSync(key);
    for (const name of ['alice', 'mallory'])
      await k.ok(
        'create -f -',
        JSON.stringify({
          apiVersion: 'certificates.k8s.io/v1',
          kind: 'CertificateSigningRequest',
          metadata: { name },
          spec: {
            request: Buffer.from(made.stdout).toString('base64'),
            signerName: 'example.com/s',
            usages: ['client auth'],
          },
        }),
      );
    await k.says(
      'get csr alice --no-headers',
      /^alice {2}\d+s {2}example.com\/s {2}\S+ {2}<none> {2}Pending$/,
    );
    await k.says('certificate approve alice', 'certificatesigningrequest.certificates.k8s.io/alice approved');
    await k.says('certificate deny mallory', 'certificatesigningrequest.certificates.k8s.io/mallory denied');
    await k.says('get csr --no-headers', /^alice .*Approved\nmallory .*Denied$/);
    await k.refuses(
      'certificate approve none',
      'Error from server (NotFound): certificatesigningrequests.certificates.k8s.io "none" not found',
    );
  });

  test('what needs a node or metrics says so', async () => {
    await k.ok('run p --image=busybox');
    await k.refuses('logs p', 'Error from server (BadRequest): pod p does not have a host assigned');
    await k.refuses('exec p -- ls', 'Error from server (BadRequest): pod p does not have a host assigned');
    await k.refuses(
      'port-forward p 0:80',
      'error: unable to forward port because pod is not running. Current status=Pending',
    );
    await k.refuses(
      'top pods',
      'Error from server (ServiceUnavailable): the server is currently unable to handle the request',
    );
    expect((await k.run('events')).err).toBe('No events found in default namespace.\n');
  });
});
