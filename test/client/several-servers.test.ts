// Two servers on one etcd, as an operator makes them: the second needs nothing but the token of the first. Then one loses its power.
import { readFileSync, statSync } from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EtcdProcess, whyNoEtcd } from '../../src/testkit/index.ts';
import { findKubectl, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';
import { quickPods } from './simulated-nodes.ts';

const program = findKubectl();
const noEtcd = whyNoEtcd();

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
`;

describe.skipIf(program === undefined || noEtcd !== undefined)('two servers on one etcd', () => {
  let etcd: EtcdProcess;
  let one: ProgramServer;
  let two: ProgramServer;
  let k1: Kubectl;
  let k2: Kubectl;
  let tokenFile: string;
  const running: ProgramServer[] = [];
  const start = async (...flags: string[]) => {
    const server = await startProgram({
      simulateNodes: 2,
      simulation: quickPods,
      flags: ['--datastore-endpoint', `etcd=${etcd.url}`, ...flags],
    });
    running.push(server);
    return server;
  };

  beforeAll(async () => {
    etcd = await EtcdProcess.start();
    one = await start();
    k1 = new Kubectl(one);
    tokenFile = path.join(one.dir, 'data/token');
  });
  afterAll(async () => {
    k1?.stop();
    k2?.stop();
    for (const server of running) await server.stop();
    await etcd?.remove();
  });

  test('the second one needs the token, and no other', async () => {
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    await expect(start()).rejects.toThrow(/holds a cluster already: .* needs the token/);
    const wrong = start('--token', 'not-this-one');
    await expect(wrong).rejects.toThrow(/the token is not that of the cluster/);
    await expect(wrong).rejects.not.toThrow(/not-this-one|^\s+at /m);
    await expect(start('--token-file', tokenFile, '--cluster-domain', 'example.org')).rejects.toThrow(
      '--cluster-domain is example.org, and the cluster was founded with cluster.local',
    );
    two = await start('--token-file', tokenFile);
    k2 = new Kubectl(two);
    const ca = (server: ProgramServer) => readFileSync(path.join(server.dir, 'data/pki/ca.crt'), 'utf8');
    expect(ca(two)).toBe(ca(one));
  });

  test('each trusts what the other gave out, and both serve the same', async () => {
    await k1.ok('create -f -', deployment);
    await k2.ok('rollout status deployment/web --timeout=90s');
    await k1.says(`--server ${two.url} get namespace default -o name`, 'namespace/default');
    await k2.says(`--server ${one.url} get namespace default -o name`, 'namespace/default');
    const token = (await k1.ok('create token default')).trim();
    const flags = `--server ${two.url} --certificate-authority ${path.join(two.dir, 'data/pki/ca.crt')} --token ${token}`;
    const nobody = new Kubectl({ kubeconfig: '/dev/null', dir: two.dir });
    await nobody.says(
      `${flags} auth whoami -o 'jsonpath={.status.userInfo.username}'`,
      'system:serviceaccount:default:default',
    );
  });

  test('one without power: the other goes on with watches, controllers, scheduler and nodes', async () => {
    const watch = k2.follow('get configmaps -w -o name');
    await watch.until('kube-root-ca.crt');
    // The one that leads was there first; the other stands by.
    await one.kill();
    const killedMs = Date.now();
    await k2.ok('create configmap after');
    await watch.until('configmap/after');
    await k2.ok('scale deployment web --replicas=8');
    await k2.ok('rollout status deployment/web --timeout=90s');
    // A lease of 4 s that was renewed a moment before, and a try a second: far less than kube-controller-manager's 15 s.
    expect(Date.now() - killedMs).toBeLessThan(30_000);
    await one.restart();
    await k1.says("get deployment web -o 'jsonpath={.status.readyReplicas}'", '8');
    await k1.ok('create configmap again');
    await watch.until('configmap/again');
    watch.stop();
  });

  test('etcd away and back: both go on by themselves', async () => {
    await etcd.kill();
    // Not a write: kubectl tries those for half a minute.
    await k1.refuses('get --raw /readyz/etcd', /\S/);
    await etcd.restart();
    await expect.poll(async () => (await k2.run('create configmap back')).code).toBe(0);
    await k1.says('get configmap back -o name', 'configmap/back');
    await k1.ok('scale deployment web --replicas=5');
    await expect.poll(() => k2.ok("get deployment web -o 'jsonpath={.status.replicas}'")).toBe('5');
  });
});
