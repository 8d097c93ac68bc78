import { describe, expect, it } from 'vitest';
import { Causes } from '../../../machinery/index.ts';
import { complaints, created, updated } from '../../../testkit/index.ts';
import { ConfigMap } from './config-map.ts';
import { Endpoints } from './endpoints.ts';
import { Namespace, validateNamespaceFinalizers } from './namespace.ts';
import { Node } from './node.ts';
import { Secret } from './secret.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('ConfigMap', () => {
  const map = (body: object) => created(ConfigMap, body);
  it.each([
    [{ data: { 'a.b': 'x' }, binaryData: { c: 'AA==' } }, []],
    [
      { data: { a: '' }, binaryData: { a: 'AA==' } },
      ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    ],
    [{ data: { '..': '' } }, [`data[..]: Invalid value: "..": must not be '..'`]],
    [{ data: { a: 'x'.repeat(1024 * 1024) } }, []],
    [{ data: { a: 'é'.repeat(512 * 1024 + 1) } }, ['[]: Too long: may not be more than 1048576 bytes']],
  ])('rules %#', (body, wanted) => expect(complaints(ConfigMap, map(body))).toEqual(wanted));

  it('stays as it is once immutable', () => {
    const old = map({ data: { a: '1' }, immutable: true });
    const why = 'field is immutable when `immutable` is set';
    expect(complaints(ConfigMap, updated(ConfigMap, old, { data: { a: '2' } }), old)).toEqual([
      `immutable: Forbidden: ${why}`,
      `data: Forbidden: ${why}`,
    ]);
    expect(complaints(ConfigMap, updated(ConfigMap, old, old), old)).toEqual([]);
  });
});

describe('Secret', () => {
  it('takes text in and keeps bytes', () => {
    const secret = created(Secret, { data: { a: base64('1'), b: base64('2') }, stringData: { b: 'é' } });
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: base64('1'), b: base64('é') } });
    expect(secret).not.toHaveProperty('stringData');
  });
  it.each([
    ['kubernetes.io/tls', {}, ['data[tls.crt]: Required value', 'data[tls.key]: Required value']],
    [
      'kubernetes.io/basic-auth',
      {},
      ['data[%s][username]: Required value', 'data[%s][password]: Required value'],
    ],
    ['kubernetes.io/basic-auth', { username: 'x' }, []],
    ['kubernetes.io/ssh-auth', {}, ['data[%s][ssh-privatekey]: Required value']],
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': '{"auths":{}}' }, []],
    [
      'kubernetes.io/dockerconfigjson',
      { '.dockerconfigjson': '{' },
      ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": the value is not valid JSON'],
    ],
    [
      'kubernetes.io/service-account-token',
      {},
      ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
    ],
    ['example.com/own', {}, []],
  ])('type %s with %j', (type, stringData, wanted) =>
    expect(complaints(Secret, created(Secret, { type, stringData }))).toEqual(wanted),
  );
  it('keeps its type', () => {
    const old = created(Secret, { type: 'a/b' });
    expect(complaints(Secret, updated(Secret, old, {}), old)).toEqual([
      'type: Invalid value: "Opaque": field is immutable',
    ]);
  });
  it('warns of a key pair that is none', () => {
    const stringData = { 'tls.crt': 'x', 'tls.key': 'y' };
    expect(Secret.warn!(created(Secret, { type: 'kubernetes.io/tls', stringData }), undefined)).toEqual([
      'tls: failed to find any PEM data in certificate input',
    ]);
  });
});

describe('Namespace', () => {
  const namespace = created(Namespace, { spec: { finalizers: ['example.com/mine'] } });
  it('is labelled with its name, active, and held', () => {
    expect(namespace).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'a' } },
      spec: { finalizers: ['example.com/mine', 'kubernetes'] },
      status: { phase: 'Active' },
    });
    expect(Namespace.deletionHeld!(namespace)).toBe(true);
    expect(Namespace.deletionHeld!({ ...namespace, spec: {} })).toBe(false);
  });
  it('keeps spec.finalizers through updates', () => {
    expect(updated(Namespace, namespace, { spec: {} }).spec.finalizers).toEqual(namespace.spec.finalizers);
  });
  it('is Terminating when and only when deleted', () => {
    const deleted = structuredClone(namespace);
    deleted.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    Namespace.beginDeletion!(deleted);
    expect(deleted.status?.phase).toBe('Terminating');
    const causes = new Causes();
    Namespace.validateStatus!(deleted, deleted, causes);
    expect(causes.empty).toBe(true);
    deleted.status!.phase = 'Active';
    Namespace.validateStatus!(deleted, deleted, causes);
    expect(causes.list[0]?.field).toBe('status.Phase');
  });
  it('knows its finalizers', () => {
    const causes = new Causes();
    validateNamespaceFinalizers(['kubernetes', 'mine', 'a/b'], 'spec.finalizers', causes, { indexed: true });
    expect(causes.list.map((c) => c.field)).toEqual(['spec.finalizers[1]']);
  });
});

describe('Node', () => {
  it('keeps podCIDR and podCIDRs in step', () => {
    expect(created(Node, { spec: { podCIDR: '10.1.0.0/24' } }).spec.podCIDRs).toEqual(['10.1.0.0/24']);
    expect(created(Node, { spec: { podCIDRs: ['10.1.0.0/24'] } }).spec.podCIDR).toBe('10.1.0.0/24');
  });
  it('may allocate what it has', () => {
    expect(created(Node, { status: { capacity: { cpu: '2' } } }).status?.allocatable).toEqual({ cpu: '2' });
  });
  const taint = { key: 'a', value: 'b', effect: 'NoSchedule' };
  it.each([
    [{ spec: { taints: [taint] } }, []],
    [
      { spec: { taints: [taint, taint] } },
      [
        'metadata.taints[1]: Duplicate value: {"key":"a","value":"b","effect":"NoSchedule"}: taints must be unique by key and effect pair',
      ],
    ],
    [
      { spec: { taints: [{ key: 'a', effect: 'Never' }] } },
      [
        'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    [
      { spec: { podCIDRs: ['10.1.0.0/24', '10.2.0.0/24'] } },
      [
        'spec.podCIDRs: Invalid value: ["10.1.0.0/24","10.2.0.0/24"]: may specify no more than one CIDR for each IP family',
      ],
    ],
    [
      { status: { capacity: { cpu: '-1', pods: '1500m' } } },
      [
        'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
        'status.capacity.pods: Invalid value: "1500m": must be an integer',
        'status.allocatable.cpu: Invalid value: "-1": must be greater than or equal to 0',
        'status.allocatable.pods: Invalid value: "1500m": must be an integer',
      ],
    ],
  ])('rules of %j', (body, wanted) => expect(complaints(Node, created(Node, body))).toEqual(wanted));
  it('keeps its range and provider', () => {
    const old = created(Node, { spec: { podCIDR: '10.1.0.0/24', providerID: 'x' } });
    expect(complaints(Node, updated(Node, old, { spec: { podCIDR: '10.2.0.0/24' } }), old)).toEqual([
      'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
      'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
    ]);
  });
  it('shows itself', () => {
    const node = created(Node, {
      metadata: { labels: { 'node-role.kubernetes.io/worker': '', 'kubernetes.io/role': 'edge' } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'Unknown' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.2' }],
        nodeInfo: { kubeletVersion: 'v1.35.0' },
      },
    });
    expect(Node.columns.map((c) => c.cell(node, { nowMs: 0 }))).toEqual([
      'a',
      'NotReady,SchedulingDisabled',
      'edge,worker',
      '<unknown>',
      'v1.35.0',
      '10.0.0.2',
      '<none>',
      '<unknown>',
      '<unknown>',
      '<unknown>',
    ]);
  });
});

it('Endpoints', () => {
  const addresses = [1, 2, 3, 4].map((n) => ({ ip: `10.0.0.${n}` }));
  const endpoints = created(Endpoints, { subsets: [{ addresses, ports: [{ port: 80 }] }] });
  expect(complaints(Endpoints, endpoints)).toEqual([]);
  expect(Endpoints.columns[1]!.cell(endpoints, { nowMs: 0 })).toBe(
    '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...',
  );
  expect(complaints(Endpoints, created(Endpoints, { subsets: [{}] }))).toEqual([
    'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
  ]);
  expect(complaints(Endpoints, created(Endpoints, { subsets: [{ addresses: [{ ip: 'x' }] }] }))).toEqual([
    'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address',
  ]);
});
