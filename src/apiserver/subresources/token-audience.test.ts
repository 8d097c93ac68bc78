// For which audiences a node gets tokens: those in the volumes of its pod, by whatever way, and those that a role allows.
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CSIDriver, PersistentVolume, PersistentVolumeClaim, Pod, ServiceAccount } from '../../api/index.ts';
import { FakeClock, seededRandom } from '../../base/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import type { RequestAttributes } from '../auth/attributes.ts';
import { allowed, createAuthorizer, mastersAuthorizer, noOpinion } from '../auth/authorize.ts';
import { ServiceAccountTokens } from '../auth/index.ts';
import { audienceVerb } from './token-audience.ts';

const here = 'https://kubernetes.default.svc';
const driver = 'csi.example.com';
const n1 = 'system:node:n1@system:nodes,system:authenticated';
const questions: RequestAttributes[] = [];
let f: ApiFixture;
beforeAll(async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const tokens = new ServiceAccountTokens({
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    issuer: here,
    audiences: [here],
    exists: { account: () => true, pod: () => true, secret: () => true, node: () => true },
    clock: new FakeClock(),
    random: seededRandom(1),
  });
  const nodes = (attributes: RequestAttributes) => {
    if (attributes.verb !== audienceVerb) return allowed;
    questions.push(attributes);
    return attributes.resource === 'by-role' && attributes.name === 'robot' ? allowed : noOpinion;
  };
  f = await ApiFixture.create({
    server: { tokens, token: tokens.userOf, authorize: createAuthorizer([mastersAuthorizer, nodes]) },
  });
  const { client } = f.api;
  const namespace = 'default';
  await client(ServiceAccount).create({ metadata: { name: 'robot', namespace } });
  await client(CSIDriver).create({
    metadata: { name: driver },
    spec: { tokenRequests: [{ audience: 'vault' }, { audience: 'kms' }] },
  } as Draft<CSIDriver>);
  for (const [name, by] of [
    ['pv', driver],
    ['pv-odd', 'gone.example.com'],
  ])
    await client(PersistentVolume).create({
      metadata: { name },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        csi: { driver: by, volumeHandle: 'h' },
      },
    } as Draft<PersistentVolume>);
  for (const [name, volumeName] of [
    ['claim', 'pv'],
    ['ephemeral-data', 'pv'],
    ['unbound', ''],
    ['lost', 'no-such'],
    ['odd', 'pv-odd'],
  ])
    await client(PersistentVolumeClaim).create({
      metadata: { name, namespace },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        ...(volumeName !== '' && { volumeName }),
      },
    } as Draft<PersistentVolumeClaim>);
  for (const [name, sources] of Object.entries(volumes))
    await client(Pod).create({
      metadata: { name, namespace },
      spec: {
        serviceAccountName: 'robot',
        automountServiceAccountToken: false,
        nodeName: 'n1',
        containers: [{ name: 'c', image: 'i' }],
        volumes: sources.map((source, index) => ({
          name: index === 0 ? 'data' : `more-${index}`,
          ...source,
        })),
      },
    } as unknown as Draft<Pod>);
});
afterAll(() => f.close());

const projected = (...audiences: (string | undefined)[]) => ({
  projected: {
    sources: [
      { downwardAPI: {} },
      ...audiences.map((audience) => ({ serviceAccountToken: { path: `p-${audience}`, audience } })),
    ],
  },
});
const claim = (claimName: string) => ({ persistentVolumeClaim: { claimName } });
const volumes: Readonly<Record<string, readonly object[]>> = {
  plain: [{ emptyDir: {} }],
  usual: [projected(undefined)],
  named: [projected('foo', undefined, 'bar')],
  inline: [{ csi: { driver } }],
  claims: [claim('claim')],
  ephemeral: [
    {
      ephemeral: {
        volumeClaimTemplate: {
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      },
    },
  ],
  unbound: [claim('unbound')],
  lost: [claim('lost')],
  odd: [claim('odd')],
  'no-claim': [claim('none')],
  'no-driver': [{ csi: { driver: 'gone.example.com' } }],
  'odd-and-good': [claim('none'), { csi: { driver } }],
  'twice-odd': [claim('none'), claim('odd')],
};

async function ask(name: string, audiences: readonly string[] | undefined, user = n1): Promise<string> {
  const { metadata } = await f.api.client(Pod).get(name, 'default');
  const spec = { audiences, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid: metadata.uid } };
  const told = await f.ask('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', {
    body: { spec },
    user,
  });
  return told.code === 201 ? 'yes' : `${told.code} ${told.json.message}`;
}

const refused = (audience: string) =>
  `403 serviceaccounts "robot" is forbidden: audience "${audience}" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience`;
const failed = (audience: string, why: string) =>
  `403 serviceaccounts "robot" is forbidden: error validating audience "${audience}": ${why}`;

it.each<[string, string[] | undefined, string]>([
  ['usual', undefined, 'yes'],
  ['usual', [], 'yes'],
  // Kubernetes compares the words: the name of this server is another one than none.
  ['usual', [here], refused(here)],
  ['plain', undefined, refused('')],
  ['named', ['foo'], 'yes'],
  ['named', ['bar'], 'yes'],
  ['named', undefined, 'yes'],
  ['named', ['vault'], refused('vault')],
  [
    'named',
    ['foo', 'bar'],
    '403 serviceaccounts "robot" is forbidden: node may only request 0 or 1 audiences',
  ],
  ['inline', ['vault'], 'yes'],
  ['inline', ['kms'], 'yes'],
  ['inline', ['foo'], refused('foo')],
  ['claims', ['kms'], 'yes'],
  ['claims', ['foo'], refused('foo')],
  ['ephemeral', ['vault'], 'yes'],
  ['unbound', ['vault'], refused('vault')],
  ['lost', ['vault'], failed('vault', 'persistentvolume "no-such" not found')],
  ['odd', ['vault'], failed('vault', 'csidriver.storage.k8s.io "gone.example.com" not found')],
  ['no-claim', ['vault'], failed('vault', 'persistentvolumeclaim "none" not found')],
  ['no-driver', ['vault'], failed('vault', 'csidriver.storage.k8s.io "gone.example.com" not found')],
  ['odd-and-good', ['vault'], 'yes'],
  [
    'twice-odd',
    ['vault'],
    failed(
      'vault',
      '[persistentvolumeclaim "none" not found, csidriver.storage.k8s.io "gone.example.com" not found]',
    ),
  ],
  ['plain', ['by-role'], 'yes'],
])('pod %s, %j: %s', async (name, audiences, wanted) => {
  expect(await ask(name, audiences)).toBe(wanted);
});

it('a role is asked with the audience as its resource and the account as its name', async () => {
  questions.length = 0;
  await ask('named', ['foo']);
  expect(questions).toEqual([]);
  await ask('plain', ['by-role']);
  expect(questions).toMatchObject([
    {
      verb: audienceVerb,
      group: '',
      resource: 'by-role',
      subresource: '',
      namespace: 'default',
      name: 'robot',
      user: { name: 'system:node:n1' },
    },
  ]);
});

it('who is no node asks for what it likes', async () => {
  expect(await ask('plain', ['a', 'b'], 'admin@system:masters')).toBe('yes');
});
