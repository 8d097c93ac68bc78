import { expect, test } from 'vitest';
import type { EndpointSlice, Service } from '../api/index.ts';
import { endpointsBehind } from './backends.ts';

const slice = (endpoints: object[] | null, ports: object[] | null = [{ name: 'http', port: 8080 }]) =>
  ({ addressType: 'IPv4', endpoints, ports }) as unknown as EndpointSlice;
const endpoint = (ip: string, conditions: object = {}) => ({ addresses: [ip], conditions });
const ready = endpoint('10.1.0.1');
const ending = endpoint('10.1.0.2', { ready: false, serving: true, terminating: true });
const broken = endpoint('10.1.0.3', { ready: false });

test.each<[string, EndpointSlice[], string[]]>([
  ['ready ones', [slice([ready, ending, broken])], ['10.1.0.1:8080']],
  ['those that end, when none is ready', [slice([ending, broken])], ['10.1.0.2:8080']],
  ['none of another port', [slice([ready], [{ name: 'other', port: 1 }])], []],
  ['a slice that tells of no lists', [slice(null), slice([ready], null), slice([ready])], ['10.1.0.1:8080']],
])('endpoints behind a port: %s', (_, slices, expected) => {
  expect(endpointsBehind(slices, { spec: {} } as Service, 'http')).toEqual(expected);
});

const six = { ...slice([endpoint('fd00::1')]), addressType: 'IPv6' } as EndpointSlice;
test.each<[readonly string[] | undefined, EndpointSlice[], string[]]>([
  [['IPv4', 'IPv6'], [six, slice([ready])], ['10.1.0.1:8080']],
  [['IPv6', 'IPv4'], [six, slice([ready])], ['fd00::1:8080']],
  [['IPv6'], [six], ['fd00::1:8080']],
  [['IPv4'], [six], ['fd00::1:8080']],
  [undefined, [six], ['fd00::1:8080']],
])('a pod of two families behind a service of %j', (ipFamilies, slices, expected) => {
  expect(endpointsBehind(slices, { spec: { ipFamilies } } as unknown as Service, 'http')).toEqual(expected);
});
