import { describe, expect, test } from 'vitest';
import type { CertificateSigningRequest, Lease, Node } from '../../api/index.ts';
import type { ReadRequest } from '../../http/index.ts';
import { formatMicroTime } from '../../machinery/index.ts';
import { buildNode, epochMs } from '../../testkit/index.ts';
import { type ClusterView, isOpen, planGrants, servingFault } from './plan.ts';

const client = 'kubernetes.io/kube-apiserver-client-kubelet';
const serving = 'kubernetes.io/kubelet-serving';
const clientUsages = ['digital signature', 'client auth'];
const servingUsages = ['digital signature', 'server auth'];

const asked = (parts: Partial<ReadRequest> = {}): ReadRequest => ({
  commonName: 'system:node:n1',
  organizations: ['system:nodes'],
  dnsNames: [],
  ips: [],
  emails: [],
  uris: [],
  ...parts,
});
const csr = (signerName: string, usages: string[], username: string): CertificateSigningRequest =>
  ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'csr', uid: 'u', resourceVersion: '1' },
    spec: { request: '', signerName, usages, username },
  }) as unknown as CertificateSigningRequest;
const nodeWith = (name: string, ...addresses: string[]): Node => {
  const node = buildNode(name);
  const list = addresses.map((address) => ({ type: 'InternalIP', address }));
  return { ...node, status: { ...node.status, addresses: [{ type: 'Hostname', address: name }, ...list] } };
};
const leaseOf = (ageMs: number): Lease =>
  ({
    spec: { renewTime: formatMicroTime(epochMs - ageMs), leaseDurationSeconds: 2 },
  }) as unknown as Lease;
const view: ClusterView = {
  nodes: [nodeWith('n1', '10.0.0.1', 'fd00::1'), nodeWith('n2', '10.0.0.2')],
  leaseOf: () => leaseOf(60_000),
  serverNames: ['10.0.0.9', '127.0.0.1', 'kubernetes.default.svc', 'Lb.example.org'],
  nowMs: epochMs,
};
const permissions = (...args: Parameters<typeof planGrants>) =>
  planGrants(...args).map(({ permission, denial }) =>
    denial === undefined ? permission : `${permission} denied`,
  );

describe('a certificate towards the API server', () => {
  const bootstrapper = csr(client, clientUsages, 'system:bootstrap:abcdef');
  const itself = csr(client, clientUsages, 'system:node:n1');
  test.each<[string, CertificateSigningRequest, ReadRequest, Partial<ClusterView>, string[]]>([
    ['of a machine that joins', bootstrapper, asked({ commonName: 'system:node:new' }), {}, ['nodeclient']],
    ['of one that comes back', bootstrapper, asked(), {}, ['nodeclient']],
    [
      'under the name of a node that lives',
      bootstrapper,
      asked(),
      { leaseOf: () => leaseOf(1000) },
      ['nodeclient denied'],
    ],
    [
      'under a name whose Lease outlived its node',
      bootstrapper,
      asked({ commonName: 'system:node:x' }),
      { leaseOf: () => leaseOf(0) },
      ['nodeclient'],
    ],
    [
      'of a node for itself',
      itself,
      asked(),
      { leaseOf: () => leaseOf(0) },
      ['selfnodeclient', 'nodeclient denied'],
    ],
    ['of a node for another', itself, asked({ commonName: 'system:node:n2' }), {}, ['nodeclient']],
    ['with names', bootstrapper, asked({ dnsNames: ['n1'] }), {}, []],
    ['with addresses', bootstrapper, asked({ ips: ['10.0.0.1'] }), {}, []],
    ['of another group', bootstrapper, asked({ organizations: ['system:masters'] }), {}, []],
    ['of one group more', bootstrapper, asked({ organizations: ['system:nodes', 'system:masters'] }), {}, []],
    ['of no node', bootstrapper, asked({ commonName: 'zoe' }), {}, []],
    ['for servers too', csr(client, [...clientUsages, 'server auth'], 'system:node:n1'), asked(), {}, []],
    [
      'for RSA keys',
      csr(client, [...clientUsages, 'key encipherment'], 'system:node:n1'),
      asked(),
      {},
      ['selfnodeclient', 'nodeclient'],
    ],
    [
      'of another signer',
      csr('kubernetes.io/kube-apiserver-client', clientUsages, 'system:node:n1'),
      asked(),
      {},
      [],
    ],
  ])('%s', (_, request, read, change, wanted) =>
    expect(permissions(request, read, { ...view, ...change })).toEqual(wanted),
  );
});

describe('a serving certificate', () => {
  const own = csr(serving, servingUsages, 'system:node:n1');
  const good = asked({ dnsNames: ['n1'], ips: ['10.0.0.1', 'FD00:0::1'] });
  test('of a node for its name and addresses', () =>
    expect(permissions(own, good, view)).toEqual(['selfnodeserver']));
  test('by somebody else', () => {
    expect(permissions(csr(serving, servingUsages, 'system:node:n2'), good, view)).toEqual([]);
    expect(permissions(csr(serving, servingUsages, 'kubernetes-admin'), good, view)).toEqual([]);
  });
  test('for clients too', () =>
    expect(
      permissions(csr(serving, [...servingUsages, 'client auth'], 'system:node:n1'), good, view),
    ).toEqual([]));
  test.each<[Partial<ReadRequest>, string | undefined]>([
    [{ ips: ['10.0.0.1'] }, undefined],
    [{ dnsNames: ['n1'] }, undefined],
    [{ dnsNames: ['kubernetes.default.svc'] }, 'kubernetes.default.svc is not the name of the node'],
    [{ dnsNames: ['n1', 'n2'] }, 'n2 is not the name of the node'],
    [{ ips: ['10.0.0.7'] }, '10.0.0.7 is not an address of the node'],
    [{ ips: ['10.0.0.1', '10.0.0.2'] }, '10.0.0.2 is not an address of the node'],
    [{ commonName: 'system:node:n3', ips: ['10.0.0.1'] }, 'there is no node "n3"'],
  ])('%j', (parts, wanted) => expect(servingFault(asked(parts), view)).toBe(wanted));
  test('for an address that a node only claims', () => {
    const nodes = [nodeWith('n1', '10.0.0.2', '10.0.0.9'), nodeWith('n2', '10.0.0.2')];
    expect(servingFault(asked({ ips: ['10.0.0.2'] }), { ...view, nodes })).toBe(
      '10.0.0.2 is the address of another node too',
    );
    expect(servingFault(asked({ ips: ['10.0.0.9'] }), { ...view, nodes })).toBe(
      '10.0.0.9 is an address of the API server',
    );
  });
  test.each(['kubernetes.default.svc', 'lb.example.org'])('for a node that calls itself %s', (name) => {
    const nodes = [nodeWith(name, '10.0.0.1')];
    const claim = asked({ commonName: `system:node:${name}`, dnsNames: [name], ips: ['10.0.0.1'] });
    expect(servingFault(claim, { ...view, nodes })).toBe(`${name} is a name of the API server`);
    expect(servingFault({ ...claim, dnsNames: [] }, { ...view, nodes })).toBeUndefined();
  });
});

test('what is decided or signed is left alone', () => {
  const open = csr(client, clientUsages, 'x');
  const having = (status: object) => ({ ...open, status }) as CertificateSigningRequest;
  expect(isOpen(open)).toBe(true);
  expect(isOpen(having({ conditions: [{ type: 'Failed', status: 'True' }] }))).toBe(true);
  for (const type of ['Approved', 'Denied'])
    expect(isOpen(having({ conditions: [{ type, status: 'True' }] }))).toBe(false);
  expect(isOpen(having({ certificate: 'x' }))).toBe(false);
});
