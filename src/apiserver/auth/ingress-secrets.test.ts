import { expect, test } from 'vitest';
import { Ingress, IngressClass } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { createIngressSecrets } from './ingress-secrets.ts';

test('nodes read the certificates of ingresses that they serve, and nothing else', async () => {
  const f = await ApiFixture.create();
  const { client } = f.api;
  const isNamed = createIngressSecrets(f.store);
  const at = (name: string, namespace = 'default') => isNamed({ namespace, name });
  const ingress = (name: string, ingressClassName: string, secretName: string) =>
    client(Ingress).create({
      metadata: { name, namespace: 'default' },
      spec: {
        ingressClassName,
        defaultBackend: { service: { name: 's', port: { number: 80 } } },
        tls: [{ secretName }],
      },
    } as Draft<Ingress>);
  await ingress('a', 'jotasu', 'mine');
  await ingress('b', 'other', 'theirs');
  expect(at('mine')).toBe(false);
  for (const [name, controller] of [
    ['jotasu', 'jotasu.dev/ingress'],
    ['other', 'example.com/other'],
  ] as const)
    await client(IngressClass).create({ metadata: { name }, spec: { controller } });
  expect([at('mine'), at('theirs'), at('min'), at('mine', 'kube-system')]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  await client(Ingress).delete('a', 'default');
  expect(at('mine')).toBe(false);
  await f.close();
});
