import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMetrics, sampleOf } from '../testkit/index.ts';
import { exponentialBuckets, MetricRegistry } from './metrics.ts';

describe('text', () => {
  it('is what Prometheus reads', () => {
    const registry = new MetricRegistry();
    registry.gauge({ name: 'temperature', help: 'Now.\nIn \\ degrees.' }).of().set(-1.5);
    const requests = registry.counter({ name: 'requests_total', help: 'All.', labels: ['verb', 'code'] });
    requests.of('GET', '200').increment();
    requests.of('GET', '200').add(2);
    requests.of('PUT', '').increment();
    registry.counter({ name: 'never_total', help: 'Nothing yet.', labels: ['a'] });
    const times = registry.histogram({ name: 'times', help: 'How long.', labels: ['q'], buckets: [1, 2, 4] });
    for (const value of [0, 1, 1.5, 4, 9]) times.of('x').observe(value);
    expect(registry.text()).toBe(`# HELP requests_total All.
# TYPE requests_total counter
requests_total{verb="GET",code="200"} 3
requests_total{verb="PUT",code=""} 1
# HELP temperature Now.\\nIn \\\\ degrees.
# TYPE temperature gauge
temperature -1.5
# HELP times How long.
# TYPE times histogram
times_bucket{q="x",le="1"} 2
times_bucket{q="x",le="2"} 3
times_bucket{q="x",le="4"} 4
times_bucket{q="x",le="+Inf"} 5
times_sum{q="x"} 15.5
times_count{q="x"} 5
`);
  });

  it('keeps any label value', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', '{', ',', 'ü') })),
        (values) => {
          const registry = new MetricRegistry();
          const family = registry.counter({ name: 'c_total', help: 'h', labels: ['v'] });
          for (const [i, value] of values.entries()) family.of(value).add(i + 1);
          const samples = readMetrics(registry.text()).get('c_total')?.samples ?? [];
          expect(samples.map((s) => [s.labels['v'], s.value])).toEqual(values.map((v, i) => [v, i + 1]));
        },
      ),
    );
  });

  it('counts every observation once, whatever it is', () => {
    const bound = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.uniqueArray(bound, { minLength: 1 }), fc.array(bound), (bounds, values) => {
        const buckets = [...new Set(bounds.map((b) => b + 0))].sort((a, b) => a - b);
        const registry = new MetricRegistry();
        const histogram = registry.histogram({ name: 'h', help: 'h', buckets }).of();
        for (const value of values) histogram.observe(value);
        const { samples } = readMetrics(registry.text()).get('h')!;
        for (const [i, b] of buckets.entries())
          expect(samples[i]!.value).toBe(values.filter((value) => value <= b).length);
        expect(samples.at(-1)).toMatchObject({ name: 'h_count', value: values.length });
      }),
    );
  });

  it.each([
    [0.005, '0.005'],
    [1, '1'],
    [0.0001, '0.0001'],
    [1e-6, '1e-06'],
    [9.999999999999999e-6, '9.999999999999999e-06'],
    [131072, '131072'],
    [1e6, '1e+06'],
    [1048576, '1.048576e+06'],
    [1e10, '1e+10'],
  ])('writes the bound %d as Go does', (bound, text) => {
    const registry = new MetricRegistry();
    registry.histogram({ name: 'h', help: 'h', buckets: [bound] }).of();
    expect(registry.text()).toContain(`le="${text}"`);
  });
});

it('shares a family between the parts that name it, and refuses two meanings', () => {
  const registry = new MetricRegistry();
  const input = { name: 'adds_total', help: 'h', labels: ['name'] };
  expect(registry.counter(input)).toBe(registry.counter({ ...input, labels: ['name'] }));
  expect(() => registry.gauge(input)).toThrow('another type or other labels');
  expect(() => registry.counter({ ...input, labels: [] })).toThrow('another type or other labels');
  expect(() => registry.counter(input).of('a', 'b')).toThrow('has 1 labels, 2 values given');
});

it('asks for what nobody counts when it is read, until that ends', () => {
  const registry = new MetricRegistry();
  const objects = registry.gauge({ name: 'objects', help: 'h', labels: ['kind'] });
  let kinds = ['a', 'b'];
  const end = registry.onRead(() => {
    objects.clear();
    for (const kind of kinds) objects.of(kind).set(1);
  });
  expect(sampleOf(registry.text(), 'objects', { kind: 'a' })).toBe(1);
  kinds = ['b'];
  expect(sampleOf(registry.text(), 'objects', { kind: 'a' })).toBeUndefined();
  end();
  kinds = ['c'];
  expect(sampleOf(registry.text(), 'objects', { kind: 'c' })).toBeUndefined();
});

it('makes bounds that grow', () => {
  expect(exponentialBuckets(0.001, 2, 4)).toEqual([0.001, 0.002, 0.004, 0.008]);
});
