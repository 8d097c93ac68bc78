import { expect, it } from 'vitest';
import { ConfigMap, Node, Pod } from '../../api/index.ts';
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import { select } from './selection.ts';

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'a', labels: { app: 'web' } },
  spec: { nodeName: 'n1', containers: [] },
} as unknown as KubeObject;

it('takes whole prefixes without looking at objects', () => {
  expect(select(Pod, 'a', {})).toEqual({ prefix: '/core/pods/a/', test: null });
  expect(select(Pod, undefined, { labelSelector: '' })).toEqual({ prefix: '/core/pods/', test: null });
  expect(select(Node, undefined, {}).prefix).toBe('/core/nodes/');
});

it.each([
  [{ labelSelector: 'app=web' }, true],
  [{ labelSelector: 'app!=web' }, false],
  [{ labelSelector: 'app in (web,db),!old' }, true],
  [{ fieldSelector: 'metadata.name=p' }, true],
  [{ fieldSelector: 'metadata.name!=p' }, false],
  [{ fieldSelector: 'metadata.namespace==b' }, false],
  [{ fieldSelector: 'spec.nodeName=n1', labelSelector: 'app' }, true],
  [{ fieldSelector: 'spec.nodeName=n1', labelSelector: '!app' }, false],
])('%j', (query, wanted) => {
  expect(select(Pod, undefined, query).test!(pod)).toBe(wanted);
});

it.each<[KindDef, object, string]>([
  [Pod, { fieldSelector: 'spec.foo=x' }, 'field label not supported: spec.foo'],
  [
    ConfigMap,
    { fieldSelector: 'data.x=y' },
    '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
  ],
  [Pod, { labelSelector: 'a in' }, "unable to parse requirement: found '' expected: '('"],
  [Pod, { fieldSelector: 'a' }, "invalid selector: 'a'; can't understand 'a'"],
])('refuses %# ', (kind, query, message) => {
  expect(() => select(kind, undefined, query)).toThrow(expect.objectContaining({ code: 400, message }));
});
