// Claims and volumes as kubectl sees them: bound, waited for, protected while a pod has them.
import { afterAll, beforeAll, describe, test } from 'vitest';
import { findKubectl, type Kubectl } from './kubectl.ts';
import { type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();

const volume = (name: string, storage: string) => `
apiVersion: v1
kind: PersistentVolume
metadata: {name: ${name}}
spec:
  capacity: {storage: ${storage}}
  accessModes: [ReadWriteOnce]
  storageClassName: ''
  hostPath: {path: /${name}}
`;
const claim = (name: string, storage: string) => `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: ${name}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ''
  resources: {requests: {storage: ${storage}}}
`;
const user = (name: string, of: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: ${of}}}]
`;

let nodes: SimulatedNodes;
let k: Kubectl;

describe.skipIf(program === undefined)('claims and volumes', () => {
  beforeAll(async () => {
    nodes = await startNodes(2);
    k = nodes.k;
  });
  afterAll(() => nodes?.stop());

  test('a claim gets the smallest volume that is large enough', async () => {
    await k.ok(
      'create -f -',
      [volume('large', '9Gi'), volume('fits', '1Gi'), volume('small', '1Mi')].join('---'),
    );
    await k.ok('create -f -', [claim('data', '500Mi'), user('reader', 'data')].join('---'));
    await k.says(
      "wait pvc/data --for=jsonpath='{.status.phase}'=Bound --timeout=90s",
      'persistentvolumeclaim/data condition met',
    );
    await k.ok('wait pod/reader --for=condition=Ready --timeout=90s');
    await k.says('get pvc data --no-headers', /^data {2}Bound {2}fits {2}1Gi {2}RWO {2}<unset> {2}\S+$/);
    await k.says(
      'get pv fits --no-headers',
      /^fits {2}1Gi {2}RWO {2}Retain {2}Bound {2}default\/data {2}<unset> {2}\S+$/,
    );
    await k.says('describe pvc data', /pv\.kubernetes\.io\/bind-completed: yes[\s\S]*Used By: {2}reader/);
  });

  test('a claim that nothing fits waits, and its pod with it, until there is a volume', async () => {
    await k.ok('create -f -', [claim('huge', '90Gi'), user('waits', 'huge')].join('---'));
    await k.ok('wait pod/waits --for=condition=PodScheduled=False --timeout=90s');
    await k.comesToSay(
      'describe pod waits',
      /Warning {2}FailedScheduling {2}\S+ {2}default-scheduler {2}0\/2 nodes are available: pod has unbound immediate PersistentVolumeClaims\. preemption: 0\/2 nodes are available: 2 Preemption is not helpful for scheduling\./,
    );
    await k.comesToSay(
      'describe pvc huge',
      /Normal {2}FailedBinding {2}.* {2}persistentvolume-controller {2}no persistent volumes available for this claim and no storage class is set/,
    );
    await k.ok('create -f -', volume('vast', '100Gi'));
    await k.ok('wait pod/waits --for=condition=Ready --timeout=90s');
  });

  test('what is in use does not go before its user', async () => {
    await k.says('delete pvc data --wait=false', 'persistentvolumeclaim "data" deleted');
    await k.says('delete pv fits --wait=false', 'persistentvolume "fits" deleted');
    await k.says('get pvc data --no-headers', /^data {2}Terminating {2}fits/);
    await k.says('get pv fits --no-headers', /^fits {2}.* {2}Terminating {2}default\/data/);
    await k.ok('delete pod reader');
    await k.ok('wait pvc/data --for=delete --timeout=90s');
    await k.ok('wait pv/fits --for=delete --timeout=90s');
    await k.ok('delete pod waits');
    await k.ok('delete pvc huge');
    await k.ok("wait pv/vast --for=jsonpath='{.status.phase}'=Released --timeout=90s");
  });
});
