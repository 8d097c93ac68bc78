import { expect, test } from 'vitest';
import type { EndpointSlice } from '../api/index.ts';
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
  expect(endpointsBehind(slices, 'http')).toEqual(expected);
});
