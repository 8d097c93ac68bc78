import { describe, expect, test } from 'vitest';
import { announcedByAnnotation, type EndpointSlice, type Node, type Service } from '../../api/index.ts';
import { AddressPool } from './address-pool.ts';
import { planAnnouncer } from './announcer.ts';

const service = (name: string, by?: string, policy = 'Cluster') =>
  ({
    metadata: {
      name,
      namespace: 'ns',
      annotations: by === undefined ? {} : { [announcedByAnnotation]: by },
    },
    spec: { type: 'LoadBalancer', externalTrafficPolicy: policy },
  }) as unknown as Service;

const node = (name: string, ready = true) =>
  ({
    metadata: { name },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }] },
  }) as unknown as Node;

const on = (nodeName: string, conditions: object = { ready: true }) =>
  ({ endpoints: [{ addresses: ['x'], nodeName, conditions }] }) as unknown as EndpointSlice;
const ends = { ready: false, serving: true, terminating: true };

describe('the node that answers for a service', () => {
  const three = [node('n1'), node('n2'), node('n3')];
  test.each<
    [
      string,
      Service,
      { others?: Service[]; nodes?: Node[]; slices?: EndpointSlice[] },
      expected: string | undefined,
    ]
  >([
    ['the first of equals', service('a'), {}, 'n1'],
    ['the one with the fewest', service('a'), { others: [service('b', 'n1'), service('c', 'n3')] }, 'n2'],
    [
      'the one that does already, however much it has',
      service('a', 'n1'),
      { others: [service('b', 'n1')] },
      'n1',
    ],
    ['another when it is not ready', service('a', 'n1'), { nodes: [node('n1', false), node('n2')] }, 'n2'],
    ['another when it is gone', service('a', 'n9'), {}, 'n1'],
    ['nobody where no node is ready', service('a', 'n1'), { nodes: [node('n1', false)] }, undefined],
    ['Local: one with endpoints', service('a', undefined, 'Local'), { slices: [on('n3')] }, 'n3'],
    ['Local: nobody without endpoints', service('a', 'n1', 'Local'), {}, undefined],
    [
      'Local: while what is there ends, it stays',
      service('a', 'n1', 'Local'),
      { slices: [on('n1', ends), on('n2')] },
      'n1',
    ],
    [
      'Local: what ends brings it nowhere',
      service('a', undefined, 'Local'),
      { slices: [on('n1', ends), on('n2')] },
      'n2',
    ],
  ])('%s', (_, one, { others = [], nodes = three, slices = [] }, expected) => {
    const view = { service: one, services: [one, ...others], nodes, slices };
    expect(planAnnouncer({ ...view, pool: new AddressPool([]), serverAddresses: new Set() })).toBe(expected);
  });
});
