// Rules in CEL of custom resources: asked of what is created and changed.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';
import { define, definition, spec, tab, tabs, version } from './testdata/cron-tab.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

describe('rules in CEL', () => {
  const ruled = (more: object) => ({
    ...version,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: { spec: { ...spec, ...more }, status: { type: 'object' } },
      },
    },
  });
  const listed = {
    'x-kubernetes-validations': [
      { rule: "!has(self.mode) || self.mode != 'A' || self.replicas == 1", message: 'A runs alone' },
      { rule: 'self.replicas >= oldSelf.replicas', message: 'it only grows', fieldPath: '.replicas' },
    ],
  };

  it('are asked of what is created, and of how it changes', async () => {
    expect((await define(f, definition({}, [ruled(listed)]))).code).toBe(201);
    const wrong = await f.ask('POST', tabs, { body: tab('a', { mode: 'A', replicas: 2 }) });
    expect([wrong.code, wrong.json.message]).toEqual([
      422,
      'CronTab.stable.example.com "a" is invalid: spec: Invalid value: A runs alone',
    ]);
    expect((await f.ask('POST', tabs, { body: tab('a', { mode: 'B', replicas: 2 }) })).code).toBe(201);
    const merge = (body: object, path = '') =>
      f.ask('PATCH', `${tabs}/a${path}`, { type: 'application/merge-patch+json', body });
    const shrunk = await merge({ spec: { replicas: 1 } });
    expect(shrunk.json.details.causes).toEqual([
      {
        reason: 'FieldValueInvalid',
        message: 'Invalid value: it only grows',
        field: 'spec.replicas',
      },
    ]);
    expect((await merge({ spec: { replicas: 3 } })).code).toBe(200);
    expect((await merge({ spec: { replicas: 2 } }, '/scale')).code).toBe(422);
    expect((await merge({ status: { replicas: 1 } }, '/status')).code).toBe(200);
  });

  it('that are not about values of their own kind are asked only once these fit', async () => {
    await define(f, definition({}, [ruled(listed)]));
    const told = await f.ask('POST', tabs, { body: tab('a', { mode: 'C', replicas: 2 }) });
    expect(told.json.details.causes.map((c: { field: string }) => c.field)).toEqual(['spec.mode', '<nil>']);
  });

  it('that look back at what cannot be followed are refused with their definition', async () => {
    const tags = {
      type: 'array',
      items: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
    };
    const told = await define(f, definition({}, [ruled({ properties: { ...spec.properties, tags } })]));
    const place = 'spec.validation.openAPIV3Schema.properties[spec].properties[tags]';
    expect(told.json.details.causes).toEqual([
      {
        reason: 'FieldValueInvalid',
        field: `${place}.items.x-kubernetes-validations[0].rule`,
        message: `Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ${place}`,
      },
    ]);
  });
});
