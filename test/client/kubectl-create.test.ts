// What kubectl makes by itself: every `create` generator, run, expose, autoscale. What was made is read back.
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

  const write = (name: string, text: string | Buffer) => fs.writeFileSync(path.join(k.dir, name), text);

  test('create configmap, from literals, files, a folder and an environment file', async () => {
    fs.mkdirSync(path.join(k.dir, 'folder'));
    write('folder/one', '1');
    write('folder/two.bin', Buffer.from([0xff, 0xfe, 0]));
    write('settings.env', 'A=b\n# no\nC=d=e\n');
    await k.says(
      'create configmap files --from-file=folder --from-file=k=folder/one --from-literal=l=x',
      'configmap/files created',
    );
    expect(await k.json('get cm files')).toMatchObject({
      data: { one: '1', k: '1', l: 'x' },
      binaryData: { 'two.bin': '//4A' },
    });
    await k.says('create cm env --from-env-file=settings.env', 'configmap/env created');
    expect((await k.json('get cm env'))['data']).toEqual({ A: 'b', C: 'd=e' });
    await k.says('create cm hashed --from-literal=a=b --append-hash', /^configmap\/hashed-\w{10} created$/);
    await k.says(
      'get cm -A --chunk-size=1 -o name',
      /^configmap\/env\nconfigmap\/files\nconfigmap\/hashed-\w+\nconfigmap\/extension-apiserver-authentication\nconfigmap\/jotasu-cluster$/,
    );
  });

  test('create secret generic, tls, docker-registry', async () => {
    await k.says('create secret generic g --from-literal=p=s3cret', 'secret/g created');
    expect(await k.json('get secret g')).toMatchObject({ type: 'Opaque', data: { p: 'czNjcmV0' } });
    // One that is at hand: the administrator's own.
    const config = await k.json<{ users: { user: Record<string, string> }[] }>('config view --raw');
    const user = config.users[0]?.user ?? {};
    for (const part of ['certificate', 'key'])
      write(`${part}.pem`, Buffer.from(user[`client-${part}-data`] ?? '', 'base64'));
    await k.says('create secret tls t --cert=certificate.pem --key=key.pem', 'secret/t created');
    await k.says('get secret t -o jsonpath={.type}', 'kubernetes.io/tls');
    await k.says(
      'create secret docker-registry d --docker-server=r.io --docker-username=u --docker-password=p',
      'secret/d created',
    );
    const { type, data } = await k.json<{ type: string; data: Record<string, string> }>('get secret d');
    expect(type).toBe('kubernetes.io/dockerconfigjson');
    expect(JSON.parse(Buffer.from(data['.dockerconfigjson'] ?? '', 'base64').toString())).toEqual({
      auths: { 'r.io': { username: 'u', password: 'p', auth: 'dTpw' } },
    });
  });

  test('create deployment, job, cronjob', async () => {
    await k.says(
      'create deployment web --image=nginx --replicas=2 --port=80 -- nginx -g x',
      'deployment.apps/web created',
    );
    expect(await k.json('get deploy web')).toMatchObject({
      metadata: { generation: 1, labels: { app: 'web' } },
      spec: {
        replicas: 2,
        progressDeadlineSeconds: 600,
        revisionHistoryLimit: 10,
        selector: { matchLabels: { app: 'web' } },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        template: {
          spec: {
            containers: [
              {
                name: 'nginx',
                command: ['nginx', '-g', 'x'],
                imagePullPolicy: 'Always',
                ports: [{ containerPort: 80, protocol: 'TCP' }],
                terminationMessagePath: '/dev/termination-log',
              },
            ],
            dnsPolicy: 'ClusterFirst',
            schedulerName: 'default-scheduler',
            terminationGracePeriodSeconds: 30,
          },
        },
      },
    });
    await k.says('create job once --image=busybox -- true', 'job.batch/once created');
    await k.says(
      "create cronjob tick --image=busybox --schedule='*/5 * * * *' -- date",
      'cronjob.batch/tick created',
    );
    await k.says('create job now --from=cronjob/tick', 'job.batch/now created');
    expect(await k.json('get job now')).toMatchObject({
      metadata: {
        annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' },
        ownerReferences: [{ kind: 'CronJob', name: 'tick', controller: true }],
      },
      spec: { backoffLimit: 6, completionMode: 'NonIndexed', parallelism: 1, suspend: false },
    });
    await k.refuses(
      'create job no --from=cronjob/none',
      'Error from server (NotFound): cronjobs.batch "none" not found',
    );
  });

  test('create service of each type; expose', async () => {
    await k.says('create service clusterip web --tcp=80:8080', 'service/web created');
    await k.says('create service clusterip headless --clusterip=None --tcp=80', 'service/headless created');
    await k.says('create svc nodeport node --tcp=443:8443 --node-port=30443', 'service/node created');
    await k.says('create svc loadbalancer balanced --tcp=80', 'service/balanced created');
    await k.says('create svc externalname outside --external-name=a.example.com', 'service/outside created');
    await k.says(
      'expose deployment web --name=exposed --port=8000 --target-port=80',
      'service/exposed exposed',
    );
    await k.says(
      'get svc -o wide',
      new RegExp(
        [
          'NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\\(S\\) +AGE +SELECTOR',
          'balanced +LoadBalancer +10\\.96\\.[\\d.]+ +<pending> +80:3\\d{4}/TCP +\\d+s +app=balanced',
          'exposed +ClusterIP +10\\.96\\.[\\d.]+ +<none> +8000/TCP +\\d+s +app=web',
          'headless +ClusterIP +None +<none> +80/TCP +\\d+s +app=headless',
          'kubernetes +ClusterIP +10\\.96\\.0\\.1 +<none> +443/TCP +\\d+s +<none>',
          'node +NodePort +10\\.96\\.[\\d.]+ +<none> +443:30443/TCP +\\d+s +app=node',
          'outside +ExternalName +<none> +a\\.example\\.com +<none> +\\d+s +app=outside',
          'web +ClusterIP +10\\.96\\.[\\d.]+ +<none> +80/TCP +\\d+s +app=web',
        ].join('\n'),
      ),
    );
    expect(await k.json('get svc exposed')).toMatchObject({
      spec: {
        internalTrafficPolicy: 'Cluster',
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        ports: [{ port: 8000, protocol: 'TCP', targetPort: 80 }],
        sessionAffinity: 'None',
      },
    });
    await k.refuses(
      'create svc nodeport other --tcp=443 --node-port=30443',
      'error: failed to create NodePort service: Service "other" is invalid: spec.ports[0].nodePort: Invalid value: 30443: provided port is already allocated',
    );
    await k.refuses(
      'create svc nodeport other --tcp=443 --node-port=80',
      'error: failed to create NodePort service: Service "other" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
    );
  });

  test('create ingress', async () => {
    await k.says(
      'create ingress in --class=c --rule=a.example.com/x*=web:80,tls=t --default-backend=web:http',
      'ingress.networking.k8s.io/in created',
    );
    await k.says('get ing --no-headers', /^in +c +a.example.com +80, 443 +\d+s$/);
    expect((await k.json('get ing in'))['spec']).toEqual({
      defaultBackend: { service: { name: 'web', port: { name: 'http' } } },
      ingressClassName: 'c',
      rules: [
        {
          host: 'a.example.com',
          http: {
            paths: [
              { path: '/x', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
            ],
          },
        },
      ],
      tls: [{ hosts: ['a.example.com'], secretName: 't' }],
    });
  });

  test('create role, rolebinding and those of the cluster', async () => {
    const rbac = 'rbac.authorization.k8s.io';
    await k.says('create role r --verb=get,list --resource=pods,deploy.apps', `role.${rbac}/r created`);
    expect((await k.json('get role r'))['rules']).toEqual([
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
      { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list'] },
    ]);
    await k.says('create clusterrole cr --verb=get --resource=nodes', `clusterrole.${rbac}/cr created`);
    await k.says(
      'create clusterrole urls --verb=get --non-resource-url=/healthz,/metrics',
      `clusterrole.${rbac}/urls created`,
    );
    await k.says(
      'create rolebinding rb --role=r --user=alice --group=g --serviceaccount=default:sa',
      `rolebinding.${rbac}/rb created`,
    );
    await k.says(
      'create clusterrolebinding crb --clusterrole=cr --user=bob',
      `clusterrolebinding.${rbac}/crb created`,
    );
    await k.says('get rolebinding rb -o wide --no-headers', /^rb +Role\/r +\d+s +alice +g +default\/sa$/);
    await k.refuses(
      'create role n --verb=get --resource=unicorns',
      `the server doesn't have a resource type "unicorns"`,
    );
  });

  test('create namespace, serviceaccount, quota, poddisruptionbudget, priorityclass', async () => {
    await k.says('create ns made', 'namespace/made created');
    await k.says(
      'get ns made -o jsonpath={.metadata.labels}{.spec}{.status}',
      /"made"\}\{"finalizers":\["kubernetes"\]\}\{"phase":"Active"\}$/,
    );
    await k.says('create serviceaccount sa', 'serviceaccount/sa created');
    await k.refuses(
      'create quota q --hard=pods=10,requests.cpu=2.5 --scopes=BestEffort',
      'error: failed to create quota: ResourceQuota "q" is invalid: spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
    );
    await k.says('create quota q2 --hard=pods=10,requests.cpu=2.5', 'resourcequota/q2 created');
    await k.says('get quota q2 -o jsonpath={.spec.hard}', '{"pods":"10","requests.cpu":"2500m"}');
    await k.says(
      'create pdb p --selector=app=web --min-available=50%',
      'poddisruptionbudget.policy/p created',
    );
    await k.says('get pdb p --no-headers', /^p +50% +N\/A +0 +\d+s$/);
    await k.says(
      'create priorityclass high --value=1000 --preemption-policy=Never --description=d',
      'priorityclass.scheduling.k8s.io/high created',
    );
    await k.says('get pc high --no-headers', /^high +1000 +false +\d+s/);
    await k.refuses(
      'create priorityclass higher --value=2000000000',
      'error: failed to create priorityclass: PriorityClass.scheduling.k8s.io "higher" is invalid: value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
    );
  });

  test('run and autoscale', async () => {
    await k.says(
      'run p --image=busybox:1.36 --labels=a=b --env=X=y --port=80 --restart=Never --override-type=merge --overrides=\'{"spec":{"priorityClassName":"high"}}\' -- sleep 1',
      'pod/p created',
    );
    expect(await k.json('get pod p')).toMatchObject({
      metadata: { labels: { a: 'b' } },
      spec: {
        containers: [
          { args: ['sleep', '1'], env: [{ name: 'X', value: 'y' }], imagePullPolicy: 'IfNotPresent' },
        ],
        priority: 1000,
        preemptionPolicy: 'Never',
        enableServiceLinks: true,
        serviceAccountName: 'default',
        tolerations: [
          {
            key: 'node.kubernetes.io/not-ready',
            effect: 'NoExecute',
            operator: 'Exists',
            tolerationSeconds: 300,
          },
          {
            key: 'node.kubernetes.io/unreachable',
            effect: 'NoExecute',
            operator: 'Exists',
            tolerationSeconds: 300,
          },
        ],
      },
      status: { phase: 'Pending', qosClass: 'BestEffort' },
    });
    await k.says('run q --image=busybox --port=8080 --expose', 'service/q created\npod/q created');
    await k.says(
      'autoscale deployment web --min=1 --max=5 --cpu-percent=80',
      'horizontalpodautoscaler.autoscaling/web autoscaled',
    );
    await k.says('get hpa --no-headers', /^web +Deployment\/web +cpu: <unknown>\/80% +1 +5 +0 +\d+s$/);
  });

  test('describe shows what was made', async () => {
    for (const [what, ...wanted] of [
      ['cm env', 'Name: env', 'A:\n----\nb\n'],
      ['secret g', 'Type: Opaque', 'p: 6 bytes'],
      ['sa sa', 'Image pull secrets: <none>'],
      ['deploy web', 'Replicas: 2 desired | 0 updated', '25% max unavailable, 25% max surge', 'Port: 80/TCP'],
      ['job once', 'Completion Mode: NonIndexed', 'Backoff Limit: 6', 'Pods Statuses: 0 Active'],
      ['cj tick', 'Schedule: */5 * * * *', 'Concurrency Policy: Allow', 'Last Schedule Time: <unset>'],
      ['ing in', 'Ingress Class: c', 't terminates a.example.com', '/x web:80'],
      ['svc node', 'Type: NodePort', 'NodePort: 443-8443 30443/TCP', 'External Traffic Policy: Cluster'],
      ['role r', 'deployments.apps [] [] [get list]'],
      ['rolebinding rb', 'Kind: Role', 'ServiceAccount sa default'],
      ['clusterrole urls', '[/healthz] [] [get]'],
      ['clusterrolebinding crb', 'User bob'],
      ['pdb p', 'Min available: 50%', 'Allowed disruptions: 0'],
      ['pc high', 'Value: 1000', 'PreemptionPolicy: Never', 'Description: d'],
      ['hpa web', 'Reference: Deployment/web', '<unknown> / 80%', 'Max replicas: 5'],
    ] as const) {
      const shown = (await k.ok(`describe ${what}`)).replace(/[ \t]+/g, ' ');
      for (const text of wanted) expect(shown, what).toContain(text);
    }
  });

  test('only as a trial', async () => {
    await k.says('create cm trial --from-literal=a=b --dry-run=client', 'configmap/trial created (dry run)');
    await k.says(
      'create cm trial --from-literal=a=b --dry-run=server',
      'configmap/trial created (server dry run)',
    );
    await k.says(
      'create deployment trial --image=i --dry-run=client -o yaml',
      /^apiVersion: apps\/v1\nkind: Deployment\nmetadata:\n {2}creationTimestamp: null/,
    );
    await k.says("run trial --image=i --dry-run=server -o jsonpath='{.spec.dnsPolicy}'", 'ClusterFirst');
    await k.refuses('get cm trial', 'Error from server (NotFound): configmaps "trial" not found');
    await k.refuses('get deploy,pod trial', /deployments.apps "trial" not found\n.*pods "trial" not found$/);
  });
});
