// What kubectl get shows, in every form it has, and what selects it; describe of every common kind.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const program = findKubectl();
let server: ProgramServer;
let k: Kubectl;

/** Each is read back by its own test; what they share is in one file, as one would write it. */
const objects = `
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: web, tier: front}}
spec:
  nodeName: n1
  volumes: [{name: v, emptyDir: {}}]
  containers:
  - name: c
    image: busybox
    resources: {requests: {cpu: 250m, memory: 64Mi}, limits: {cpu: 500m, memory: 64Mi}}
    livenessProbe: {httpGet: {path: /, port: 80}}
    volumeMounts: [{name: v, mountPath: /v}]
---
apiVersion: v1
kind: Pod
metadata: {name: b, labels: {app: web}}
spec: {containers: [{name: c, image: busybox}, {name: d, image: nginx}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {node-role.kubernetes.io/worker: ""}}
spec: {taints: [{key: k, value: v, effect: NoSchedule}], podCIDR: 10.1.0.0/24}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce, ReadOnlyMany]
  hostPath: {path: /x}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: pvc}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: fast}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
spec: {limits: [{type: Container, default: {cpu: 100m}, max: {cpu: "1"}}]}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: rc}
spec: {selector: {x: "y"}, template: {metadata: {labels: {x: "y"}}, spec: {containers: [{name: c, image: i}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: sts}
spec:
  serviceName: s
  selector: {matchLabels: {x: "y"}}
  template: {metadata: {labels: {x: "y"}}, spec: {containers: [{name: c, image: i}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ds}
spec:
  selector: {matchLabels: {x: "y"}}
  template: {metadata: {labels: {x: "y"}}, spec: {nodeSelector: {disk: ssd}, containers: [{name: c, image: i}]}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: rs}
spec:
  selector: {matchLabels: {x: "y"}}
  template: {metadata: {labels: {x: "y"}}, spec: {containers: [{name: c, image: i}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: np}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress], ingress: [{ports: [{port: 80}]}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: ic}
spec: {controller: example.com/c}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: example.com/p
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: lease}
spec: {holderIdentity: me}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: es}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]
ports: [{port: 80, protocol: TCP}]
---
apiVersion: v1
kind: Event
metadata: {name: ev}
involvedObject: {apiVersion: v1, kind: Pod, namespace: default, name: a}
reason: Tested
message: it was
type: Warning
lastTimestamp: "2020-01-01T00:00:00Z"
count: 3
`;

describe.skipIf(program === undefined)('kubectl', () => {
  beforeAll(async () => {
    server = await startProgram();
    k = new Kubectl(server);
    await k.ok('create -f -', objects);
    await k.ok('create quota q --hard=pods=3');
    await k.ok('create svc clusterip s --tcp=80');
  });
  afterAll(async () => {
    k?.stop();
    await server?.stop();
  });

  test.concurrent.each([
    ['pods', 'NAME  READY  STATUS  RESTARTS  AGE\na  0/1  Pending  0  T\nb  0/2  Pending  0  T'],
    [
      'pods -o wide',
      'NAME  READY  STATUS  RESTARTS  AGE  IP  NODE  NOMINATED NODE  READINESS GATES\na  0/1  Pending  0  T  <none>  n1  <none>  <none>\nb  0/2  Pending  0  T  <none>  <none>  <none>  <none>',
    ],
    ['nodes', 'NAME  STATUS  ROLES  AGE  VERSION\nn1  Unknown  worker  T'],
    [
      'pv',
      'NAME  CAPACITY  ACCESS MODES  RECLAIM POLICY  STATUS  CLAIM  STORAGECLASS  VOLUMEATTRIBUTESCLASS  REASON  AGE\npv  1Gi  RWO,ROX  Retain  Pending  <unset>  T',
    ],
    [
      'pvc',
      'NAME  STATUS  VOLUME  CAPACITY  ACCESS MODES  STORAGECLASS  VOLUMEATTRIBUTESCLASS  AGE\npvc  Pending  fast  <unset>  T',
    ],
    ['limits', 'NAME  CREATED AT\nlimits  D'],
    ['rc', 'NAME  DESIRED  CURRENT  READY  AGE\nrc  1  0  0  T'],
    ['sts', 'NAME  READY  AGE\nsts  0/1  T'],
    [
      'ds',
      'NAME  DESIRED  CURRENT  READY  UP-TO-DATE  AVAILABLE  NODE SELECTOR  AGE\nds  0  0  0  0  0  disk=ssd  T',
    ],
    [
      'rs -o wide',
      'NAME  DESIRED  CURRENT  READY  AGE  CONTAINERS  IMAGES  SELECTOR\nrs  1  0  0  T  c  i  x=y',
    ],
    ['netpol', 'NAME  POD-SELECTOR  AGE\nnp  app=web  T'],
    ['ingressclass', 'NAME  CONTROLLER  PARAMETERS  AGE\nic  example.com/c  <none>  T'],
    [
      'sc',
      'NAME  PROVISIONER  RECLAIMPOLICY  VOLUMEBINDINGMODE  ALLOWVOLUMEEXPANSION  AGE\nfast (default)  example.com/p  Delete  Immediate  false  T',
    ],
    ['lease', 'NAME  HOLDER  AGE\nlease  me  T'],
    ['endpointslices es', 'NAME  ADDRESSTYPE  PORTS  ENDPOINTS  AGE\nes  IPv4  80  10.0.0.1  T'],
    [
      'events ev',
      /^LAST SEEN {2}TYPE {2}REASON {2}OBJECT {2}MESSAGE\n\d+y\w* {2}Warning {2}Tested {2}pod\/a {2}it was$/,
    ],
    ['ns default', 'NAME  STATUS  AGE\ndefault  Active  T'],
    ['pods -A -l app=web --no-headers', 'default  a  0/1  Pending  0  T\ndefault  b  0/2  Pending  0  T'],
    [
      'pods -L app,tier',
      'NAME  READY  STATUS  RESTARTS  AGE  APP  TIER\na  0/1  Pending  0  T  web  front\nb  0/2  Pending  0  T  web',
    ],
    ['pods b --show-labels', 'NAME  READY  STATUS  RESTARTS  AGE  LABELS\nb  0/2  Pending  0  T  app=web'],
    ['pod/a svc/s -o name', 'pod/a\nservice/s'],
    ['pods --show-kind --no-headers a', 'pod/a  0/1  Pending  0  T'],
    ['deployments', 'No resources found in default namespace.'],
    ['deployments -A', 'No resources found'],
    ['pods -n nowhere', 'No resources found in nowhere namespace.'],
    ['pods none --ignore-not-found', ''],
    ['pods.v1. a --no-headers', 'a  0/1  Pending  0  T'],
    ['statefulsets.v1.apps sts -o name', 'statefulset.apps/sts'],
  ] as [string, string | RegExp][])('get %s', async (what, wanted) => {
    const { out, err } = await k.run(`get ${what}`);
    const shown = (out + err)
      .trimEnd()
      .replace(/ {2,}/g, '  ')
      .replace(/ +$/gm, '')
      .replace(/\b(?:\d+s|\d+m(?:\d+s)?)\b/g, 'T')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'D');
    if (typeof wanted === 'string') expect(shown).toBe(wanted);
    else expect(shown).toMatch(wanted);
  });

  test.concurrent.each([
    ['pods -l tier -o name', 'pod/a'],
    ["pods -l '!tier' -o name", 'pod/b'],
    ["pods -l 'app in (web,x),tier notin (back)' -o name", 'pod/a\npod/b'],
    ['pods -l app!=web -o name', ''],
    ['pods --field-selector spec.nodeName=n1 -o name', 'pod/a'],
    ['pods --field-selector status.phase=Pending,metadata.name!=a -o name', 'pod/b'],
    ['events --field-selector involvedObject.name=a,reason=Tested -o name', 'event/ev'],
    ['svc --field-selector spec.clusterIP=10.96.0.1 -o name', 'service/kubernetes'],
    ['pods --sort-by=.spec.containers[0].image -o name', 'pod/a\npod/b'],
    ["pods --sort-by='{.metadata.labels.tier}' -o name", /pod\/a/],
    ['pods --chunk-size=1 -o name', 'pod/a\npod/b'],
    ["pods -o jsonpath='{.items[*].metadata.name}'", 'a b'],
    ['pods -o jsonpath=\'{range .items[*]}{.metadata.name}={.spec.nodeName}{"\\n"}{end}\'', 'a=n1\nb='],
    ['pod b -o jsonpath=\'{.spec.containers[?(@.name=="d")].image}\'', 'nginx'],
    ["pods -o jsonpath-as-json='{.items[*].metadata.name}'", '[\n  "a",\n  "b"\n]'],
    ["pods -o go-template='{{range .items}}{{.metadata.name}} {{end}}'", 'a b'],
    [
      'pods -o custom-columns=NAME:.metadata.name,IMAGES:.spec.containers[*].image',
      'NAME  IMAGES\na  busybox\nb  busybox,nginx',
    ],
    ['pods a -o custom-columns=N:.metadata.name,X:.nothing --no-headers', 'a  <none>'],
  ] as [string, string | RegExp][])('selects and prints: get %s', (what, wanted) =>
    k.says(`get ${what}`, wanted),
  );

  test('as yaml and json, with managed fields when asked', async () => {
    const yaml = await k.ok('get pod a -o yaml');
    expect(yaml).toMatch(/^apiVersion: v1\nkind: Pod\nmetadata:\n {2}creationTimestamp: "/);
    expect(yaml).not.toContain('managedFields');
    expect(await k.ok('get pod a -o yaml --show-managed-fields')).toContain('manager: kubectl-create');
    const list = await k.json<{ kind: string; items: { kind: string }[] }>('get pods,nodes');
    expect([list.kind, list.items.map((item) => item.kind)]).toEqual(['List', ['Pod', 'Pod', 'Node']]);
    const partial = await k.run('get pods a none');
    expect([partial.code, partial.out.split('\n').length, partial.err]).toEqual([
      1,
      3,
      'Error from server (NotFound): pods "none" not found\n',
    ]);
  });

  test.concurrent.each([
    [
      'pod a',
      [
        'Node: n1/',
        'Limits:\n cpu: 500m\n memory: 64Mi',
        'Liveness: http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3',
        'QoS Class: Burstable',
        '/v from v (rw)',
      ],
    ],
    [
      'node n1',
      [
        'Roles: worker',
        'Taints: k=v:NoSchedule',
        'Unschedulable: false',
        'PodCIDR: 10.1.0.0/24',
        'default a 250m',
      ],
    ],
    [
      'pv pv',
      [
        'Access Modes: RWO,ROX',
        'Capacity: 1Gi',
        'Type: HostPath (bare host directory volume)',
        'Reclaim Policy: Retain',
        'VolumeMode: Filesystem',
      ],
    ],
    ['pvc pvc', ['StorageClass: fast', 'Status: Pending', 'Used By: <none>']],
    ['limits limits', ['Container cpu - 1 100m 100m -']],
    ['rc rc', ['Replicas: 0 current / 1 desired', 'Selector: x=y']],
    ['sts sts', ['Update Strategy: RollingUpdate', 'Partition: 0', 'Name: data', 'Capacity: 1Gi']],
    ['ds ds', ['Node-Selector: disk=ssd', 'Desired Number of Nodes Scheduled: 0']],
    ['rs rs', ['Replicas: 0 current / 1 desired', 'Image: i']],
    ['netpol np', ['PodSelector: app=web', 'To Port: 80/TCP', 'Policy Types: Ingress']],
    ['ingressclass ic', ['Controller: example.com/c']],
    ['sc fast', ['IsDefaultClass: Yes', 'Provisioner: example.com/p', 'VolumeBindingMode: Immediate']],
    ['lease lease', ['Holder Identity: me']],
    ['endpointslice es', ['AddressType: IPv4', 'Addresses: 10.0.0.1', 'Ready: true']],
    ['quota q', ['Name: q']],
    [
      'svc s',
      [
        'Type: ClusterIP',
        'IP Family Policy: SingleStack',
        'Port: 80 80/TCP',
        'Endpoints: <none>',
        'Session Affinity: None',
      ],
    ],
    ['ns default', ['Status: Active', 'Resource Quotas', 'Resource Limits']],
    ['event ev', ['Reason: Tested', 'Message: it was']],
  ])('describe %s', async (what, wanted) => {
    const shown = (await k.ok(`describe ${what}`)).replace(/[ \t]+/g, ' ');
    for (const text of wanted) expect(shown).toContain(text);
  });

  test('describe of what is not there, of a prefix, of several', async () => {
    await k.refuses('describe pod none', 'Error from server (NotFound): pods "none" not found');
    expect((await k.ok('describe pods -l app=web')).match(/^Name:/gm)).toHaveLength(2);
    expect(await k.ok('describe sts st')).toMatch(/^Name: +sts\n/);
  });

  test('events of one object', async () => {
    await k.says('events --for pod/a --types=Warning --no-headers', /Warning {2}Tested {2}Pod\/a {2}it was$/);
  });
});
