// What the security levels of namespaces refuse and warn of.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { coreV1 } from '../../../api/index.ts';
import { ApiFixture } from '../../../testkit/index.ts';
import { complaintsOf } from './checks.ts';
import type { Level } from './levels.ts';

const good = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};
const spec = (more: object = {}, context: object | undefined = good, ofContainer: object = {}) =>
  ({
    containers: [{ name: 'c', image: 'i', securityContext: context, ...ofContainer }],
    ...more,
  }) as coreV1.PodSpec;

const latest = (level: Level) => ({ level, version: 'latest' });

describe('the levels', () => {
  it('hosts of probes count since 1.34', () => {
    const pod = spec({}, good, { livenessProbe: { httpGet: { host: '1.1.1.1', port: 80 } } });
    expect(complaintsOf(pod, latest('baseline'))).toEqual([
      { reason: 'probe or lifecycle host', detail: 'container "c" uses probe or lifecycle host "1.1.1.1"' },
    ]);
    expect(complaintsOf(pod, { level: 'restricted', version: 'v1.33' })).toEqual([]);
  });

  it.each<[coreV1.PodSpec, string]>([
    [spec({ hostNetwork: true, hostIPC: true }), 'host namespaces (hostNetwork=true, hostIPC=true)'],
    [
      spec({}, { capabilities: { add: ['NET_ADMIN', 'CHOWN'] } }),
      'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    [spec({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }), 'hostPath volumes (volume "v")'],
    [
      spec({}, good, { ports: [{ containerPort: 1, hostPort: 80 }] }),
      'hostPort (container "c" uses hostPort 80)',
    ],
    [
      spec({}, { privileged: true }),
      'privileged (container "c" must not set securityContext.privileged=true)',
    ],
    [
      spec({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }),
      'forbidden sysctls (kernel.msgmax)',
    ],
    [
      spec({ securityContext: { seccompProfile: { type: 'Unconfined' } } }),
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      spec({ securityContext: { seLinuxOptions: { type: 'x', user: 'y' } } }),
      'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "x"; user may not be set)',
    ],
    [spec({}, undefined), ''],
  ])('baseline: %j', (pod, why) => {
    const told = complaintsOf(pod, latest('baseline')).map(({ reason, detail }) => `${reason} (${detail})`);
    expect(told.join(', ')).toBe(why);
    expect(complaintsOf(pod, latest('privileged'))).toEqual([]);
  });

  it.each<[coreV1.PodSpec, string]>([
    [spec(), ''],
    [
      spec({}, good, { securityContext: undefined }),
      'allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile',
    ],
    [
      spec({
        volumes: [
          { name: 'v', hostPath: { path: '/' } },
          { name: 'w', emptyDir: {} },
        ],
      }),
      'restricted volume types',
    ],
    [spec({}, { ...good, runAsUser: 0 }), 'runAsUser=0'],
    [spec({ os: { name: 'windows' } }, { runAsNonRoot: true }), ''],
    [
      spec({ securityContext: { runAsNonRoot: true } }, { ...good, runAsNonRoot: false }),
      'runAsNonRoot != true',
    ],
  ])('restricted: %j', (pod, why) => {
    expect(
      complaintsOf(pod, latest('restricted'))
        .map(({ reason }) => reason)
        .join(', '),
    ).toBe(why);
  });
});

describe('a namespace', () => {
  let f: ApiFixture;
  const namespaces = '/api/v1/namespaces';
  beforeEach(async () => {
    f = await ApiFixture.create();
  });
  afterEach(() => f.close());
  const label = (labels: object) =>
    f.ask('PATCH', `${namespaces}/default`, {
      type: 'application/merge-patch+json',
      body: { metadata: { labels } },
    });
  const pod = (name: string, body: object) =>
    f.ask('POST', `${namespaces}/default/pods`, { body: { metadata: { name }, spec: body } });
  const plain = { containers: [{ name: 'c', image: 'i' }] };
  const why =
    'PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")';

  it('refuses pods that are not of its level, and warns of templates', async () => {
    await label({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    const told = await pod('a', plain);
    expect([told.code, told.json.message]).toEqual([403, `pods "a" is forbidden: violates ${why}`]);
    expect((await pod('b', spec())).code).toBe(201);
    const template = { metadata: { labels: { a: 'b' } }, spec: plain };
    const made = await f.ask('POST', '/apis/apps/v1/namespaces/default/deployments', {
      body: { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } },
    });
    expect([made.code, made.headers['warning']]).toEqual([
      201,
      [`299 - ${JSON.stringify(`would violate ${why}`)}`],
    ]);
  });

  it('may only warn', async () => {
    await label({
      'pod-security.kubernetes.io/warn': 'baseline',
      'pod-security.kubernetes.io/warn-version': 'v1.30',
    });
    const told = await pod('a', { ...plain, hostPID: true });
    expect([told.code, told.headers['warning']]).toEqual([
      201,
      ['299 - "would violate PodSecurity \\"baseline:v1.30\\": host namespaces (hostPID=true)"'],
    ]);
  });

  it('says of the pods that it has which its new level would refuse', async () => {
    for (const name of ['a', 'b']) await pod(name, { ...plain, hostPID: true });
    const { headers } = await label({ 'pod-security.kubernetes.io/enforce': 'baseline' });
    expect(headers['warning']).toEqual([
      '299 - "existing pods in namespace \\"default\\" violate the new PodSecurity enforce level \\"baseline:latest\\""',
      '299 - "a (and 1 other pod): host namespaces"',
    ]);
  });

  it('does not take labels that say nothing', async () => {
    const told = await label({
      'pod-security.kubernetes.io/enforce': 'strict',
      'pod-security.kubernetes.io/warn-version': '1',
    });
    expect([told.code, told.json.message]).toEqual([
      422,
      'Namespace "default" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1": must be "latest" or "v1.x"]',
    ]);
  });
});
