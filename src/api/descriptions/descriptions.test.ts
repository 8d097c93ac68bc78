import { describe, expect, test } from 'vitest';
import { shapes as generated } from '../generated/shapes.ts';
import { metricsShapes } from '../metrics/v1beta1/shapes.ts';
import { shape } from '../shape.ts';
import { describeShape, writtenDescriptions } from './descriptions.ts';

const shapes = { ...generated, ...metricsShapes };

describe('descriptions', () => {
  test('every shape and every field has one', () => {
    const missing: string[] = [];
    for (const [name, fields] of Object.entries(shapes)) {
      const described = describeShape(name);
      if (described === undefined) missing.push(name);
      else
        for (const field of Object.keys(fields))
          if (!described.fields.has(field)) missing.push(`${name}.${field}`);
    }
    expect(missing).toEqual([]);
  });

  test('nothing is described that does not exist', () => {
    const unknown: string[] = [];
    for (const [name, { fields }] of writtenDescriptions()) {
      if (!Object.hasOwn(shapes, name)) unknown.push(name);
      else
        for (const field of fields.keys())
          if (!Object.hasOwn(shapes[name] ?? {}, field)) unknown.push(`${name}.${field}`);
    }
    expect(unknown).toEqual([]);
  });

  test('each is a short sentence that stands by itself', () => {
    const bad: string[] = [];
    for (const [name, { text, fields }] of writtenDescriptions()) {
      const all = [[name, text], ...[...fields].map(([field, { text: of }]) => [`${name}.${field}`, of])];
      for (const [where = '', said = ''] of all)
        if (said.length > 120 || !/^\S.*[.…]$/u.test(said) || / {2}/.test(said))
          bad.push(`${where}: ${said}`);
    }
    expect(bad).toEqual([]);
  });

  test('values are sorted and only on texts; a value for what is left out fits the type', () => {
    const bad: string[] = [];
    for (const [name, { fields }] of writtenDescriptions()) {
      for (const [field, { values, default: value }] of fields) {
        const schema = shape(name).fields.get(field)?.schema;
        const type = schema?.type === 'list' ? schema.items.type : schema?.type;
        if (
          values !== undefined &&
          (type !== 'string' || values.join() !== [...new Set(values)].sort().join())
        )
          bad.push(`${name}.${field}`);
        if (value === undefined) continue;
        const fits =
          (type === 'string' && (values === undefined || values.includes(value))) ||
          (type === 'bool' && (value === 'true' || value === 'false')) ||
          (type === 'int32' && /^\d+$/.test(value));
        if (!fits) bad.push(`${name}.${field} = ${value}`);
      }
    }
    expect(bad).toEqual([]);
  });

  test.each([
    ['core.v1.PodSpec', 'restartPolicy', ['Always', 'Never', 'OnFailure'], undefined],
    ['core.v1.ServicePort', 'protocol', ['SCTP', 'TCP', 'UDP'], 'TCP'],
    ['core.v1.LocalObjectReference', 'name', undefined, ''],
    ['core.v1.EphemeralContainer', 'imagePullPolicy', ['Always', 'IfNotPresent', 'Never'], undefined],
  ])('%s.%s', (name, field, values, value) => {
    expect(describeShape(name)?.fields.get(field)).toMatchObject({ values, default: value });
  });

  test('a shape like another keeps its own words', () => {
    const of = (name: string, field: string) => describeShape(name)?.fields.get(field)?.text;
    expect(of('core.v1.EphemeralContainer', 'image')).toBe(of('core.v1.Container', 'image'));
    expect(of('core.v1.EphemeralContainer', 'livenessProbe')).toBe('Not allowed in ephemeral containers.');
    expect(of('events.v1.EventSeries', 'count')).toBe(of('core.v1.EventSeries', 'count'));
  });

  test('what is not built in has none', () => {
    expect(describeShape('example.com.v1.Widget')).toBeUndefined();
  });
});
