import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Causes } from '../status/causes.ts';
import type { JsonSchema, ValidationRule } from '../structural/json-schema.ts';
import { FieldAt } from '../validation/field-at.ts';
import { checkRules, hasRules, parseFieldPath, validateRules } from './rules.ts';
import { escapedName } from './values.ts';

const text: JsonSchema = { type: 'string' };
const whole: JsonSchema = { type: 'integer' };
const object = (properties: Record<string, JsonSchema>, ...rules: ValidationRule[]): JsonSchema => ({
  type: 'object',
  properties,
  'x-kubernetes-validations': rules,
});
const spec = (properties: Record<string, JsonSchema>, ...rules: (string | ValidationRule)[]): JsonSchema =>
  object({
    spec: object(properties, ...rules.map((rule) => (typeof rule === 'string' ? { rule } : rule))),
  });

const faults = (schema: JsonSchema, value: unknown, old?: unknown): string[] => {
  const causes = new Causes();
  const from = old === undefined ? undefined : { spec: old };
  validateRules(schema, { value: { spec: value }, old: from }, new FieldAt('', causes));
  return causes.list.map((c) => `${c.field}: ${c.message}`);
};

const fields: Record<string, JsonSchema> = {
  a: whole,
  b: whole,
  d: { type: 'number' },
  name: text,
  note: { type: 'string', nullable: true },
  when: { type: 'string', format: 'date-time' },
  wait: { type: 'string', format: 'duration' },
  data: { type: 'string', format: 'byte' },
  port: { 'x-kubernetes-int-or-string': true },
  tags: { type: 'array', items: text },
  items: {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    items: { type: 'object', properties: { name: text, size: whole } },
  },
  labels: { type: 'object', additionalProperties: text },
  free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  'dash-ed': text,
  namespace: text,
};

describe('rules that hold, and what they hold of', () => {
  const value = {
    a: 1,
    b: 2,
    d: 2,
    name: 'web-1',
    note: null,
    when: '2026-01-02T03:04:05Z',
    wait: '1h30m',
    data: 'aGk=',
    port: '80%',
    tags: ['x', 'y'],
    items: [
      { name: 'p', size: 1 },
      { name: 'q', size: 2 },
    ],
    labels: { app: 'x', 'a/b': 'c' },
    free: { unknown: 1 },
    'dash-ed': 'd',
    namespace: 'n',
  };
  it.each([
    'self.a < self.b',
    'self.d == 2.0 && self.d > 1',
    'has(self.a) && !has(self.zz)',
    '!has(self.note)',
    "self.name.startsWith('web') && self.name.matches('^web-[0-9]+$')",
    "self.when < timestamp('2027-01-01T00:00:00Z')",
    "self.wait == duration('90m')",
    "self.data == b'hi'",
    'type(self.port) == string ? self.port.endsWith("%") : self.port > 0',
    "self.tags.all(t, size(t) == 1) && 'x' in self.tags",
    'self.items.exists_one(i, i.name == "p") && self.items.map(i, i.size).sum() == 3',
    "'app' in self.labels && self.labels.all(k, k != '') && self.labels['a/b'] == 'c'",
    "self.labels.app == 'x' && has(self.labels.app) && !has(self.labels.no)",
    'self.__namespace__ == "n" && self.dash__dash__ed == "d"',
    '!has(self.free.unknown)',
    'self.?zz.orValue(3) == 3',
    'self.tags.isSorted() && self.tags.indexOf("y") == 1 && self.tags.max() == "y"',
    "quantity('1Gi').isGreaterThan(quantity('500M')) && isQuantity('1') && !isQuantity('x')",
    "quantity('200M').add(quantity('1k')).compareTo(quantity('200001k')) == 0",
    'sets.contains(self.tags, ["y"]) && sets.equivalent(self.tags, ["y", "x"]) && !sets.intersects(self.tags, ["z"])',
    "self.name.replace('web', 'db') == 'db-1' && self.name.charAt(0) == 'w'",
    "'%s is %d'.format([self.name, self.a]) == 'web-1 is 1'",
    "self.name.find('[0-9]+') == '1' && self.name.findAll('[a-z0-9]') == ['w', 'e', 'b', '1']",
    "isURL('https://a.example.com/b') && !isURL('a b')",
    "url('https://a.example.com:80/b').getHost() == 'a.example.com:80' && url('/x').getScheme() == '' && url('/x').getEscapedPath() == '/x'",
    "isIP('10.0.0.1') && !isIP('a') && ip('::1').family() == 6 && isCIDR('10.0.0.0/8')",
    'cel.bind(n, size(self.tags), n == 2)',
    'self.a / 2 == 0 && self.b % 2 == 0',
  ])('%s', (rule) => {
    const causes = new Causes();
    checkRules(object(fields, { rule }), new FieldAt('', causes), { uncorrelatable: undefined, root: false });
    // Nobody could write these: the schema does not name what they look at.
    const unknown = /self\.(?:free\.unknown|zz)/.exec(rule);
    expect(causes.list.map(({ message }) => message?.split('\n')[0]?.replace(/.* /, ''))).toEqual(
      unknown === null ? [] : [`'${unknown[0].replace(/.*\./, '')}'`],
    );
    expect(faults(spec(fields, rule), value)).toEqual([]);
    expect(faults(spec(fields, `!(${rule})`), value)).toEqual([
      `spec: Invalid value: failed rule: !(${rule})`,
    ]);
  });

  it('see of the resource itself who it is', () => {
    const schema = object(
      { spec: object({}) },
      { rule: "self.metadata.name == 'x' && self.kind == 'K' && !has(self.metadata.labels)" },
    );
    const value = { apiVersion: 'a/v1', kind: 'K', metadata: { name: 'x', labels: { a: 'b' } }, spec: {} };
    const causes = new Causes();
    validateRules(schema, { value, old: undefined }, new FieldAt('', causes));
    expect(causes.list).toEqual([]);
  });
});

describe('what is told', () => {
  const rule = 'self.a > 5';
  it.each<[ValidationRule, string]>([
    [{ rule }, 'spec: Invalid value: failed rule: self.a > 5'],
    [{ rule, message: ' too small ' }, 'spec: Invalid value: too small'],
    [{ rule, messageExpression: "'a is ' + string(self.a)" }, 'spec: Invalid value: a is 1'],
    [{ rule, message: 'm', messageExpression: 'self.name' }, 'spec: Invalid value: m'],
    [{ rule, message: 'm', reason: 'FieldValueForbidden' }, 'spec: Forbidden: m'],
    [{ rule, message: 'm', reason: 'FieldValueRequired', fieldPath: '.b' }, 'spec.b: Required value: m'],
    [{ rule, reason: 'FieldValueDuplicate' }, 'spec: Duplicate value'],
    [{ rule: 'self.zz > 1' }, 'spec: Invalid value: "object": no such key: zz evaluating rule: self.zz > 1'],
    [
      { rule: 'self.zz > 1', message: 'm' },
      'spec: Invalid value: "object": no such key: zz evaluating rule: m',
    ],
  ])('%j', (rule, told) => {
    expect(faults(spec(fields, rule), { a: 1 })).toEqual([told]);
  });

  it('rules of a value come before those below it, each at its place', () => {
    const rules = [{ rule: 'false' }];
    const schema = spec(
      {
        tags: { type: 'array', items: { ...text, 'x-kubernetes-validations': [{ rule: "self != 'x'" }] } },
        labels: { type: 'object', additionalProperties: { ...whole, 'x-kubernetes-validations': rules } },
      },
      'false',
    );
    expect(faults(schema, { tags: ['w', 'x'], labels: { 'a.b': 1 } })).toEqual([
      'spec: Invalid value: failed rule: false',
      'spec.tags[1]: Invalid value: "x": failed rule: self != \'x\'',
      'spec.labels[a.b]: Invalid value: 1: failed rule: false',
    ]);
  });

  it('what would cost too much is refused without being asked', () => {
    const rule =
      'self.tags.all(a, self.tags.all(b, self.tags.all(c, self.tags.all(d, a + b + c + d != ""))))';
    const tags = Array.from({ length: 100 }, (_, i) => `${i}`);
    expect(faults(spec(fields, rule), { tags })).toEqual([
      'spec: Invalid value: "object": validation failed due to running out of cost budget, no further validation rules will be run',
    ]);
    expect(faults(spec(fields, rule), { tags: ['a', 'b'] })).toEqual([]);
  });
});

describe('changes', () => {
  const kept = 'self.a == oldSelf.a';
  it('are compared where there was something before', () => {
    expect(faults(spec(fields, kept), { a: 2 })).toEqual([]);
    expect(faults(spec(fields, kept), { a: 2 }, { a: 2 })).toEqual([]);
    expect(faults(spec(fields, kept), { a: 2 }, { a: 1 })).toHaveLength(1);
  });

  it('are told apart from what is new by an optional oldSelf', () => {
    const rule = {
      rule: 'oldSelf.hasValue() && oldSelf.value().a < 5 || self.a == 0',
      optionalOldSelf: true,
    };
    expect(faults(spec(fields, rule), { a: 1 })).toHaveLength(1);
    expect(faults(spec(fields, rule), { a: 0 })).toEqual([]);
    expect(faults(spec(fields, rule), { a: 1 }, { a: 0 })).toEqual([]);
  });

  it('of items are followed by their keys', () => {
    const items = { ...(fields['items'] as JsonSchema) };
    const rules = [{ rule: 'self.size >= oldSelf.size' }];
    const schema = spec({
      items: { ...items, items: { ...(items.items as JsonSchema), 'x-kubernetes-validations': rules } },
    });
    const [p, q] = [
      { name: 'p', size: 5 },
      { name: 'q', size: 1 },
    ];
    expect(faults(schema, { items: [q, p] }, { items: [p, q] })).toEqual([]);
    expect(faults(schema, { items: [q, { ...p, size: 4 }] }, { items: [p, q] })).toEqual([
      'spec.items[1]: Invalid value: failed rule: self.size >= oldSelf.size',
    ]);
  });

  it('that touch nothing of a value bring nothing up against it', () => {
    const schema = spec({ ...fields, in: object({ a: whole }, { rule: 'self.a > 5' }) });
    expect(faults(schema, { in: { a: 1 }, b: 2 }, { in: { a: 1 }, b: 1 })).toEqual([]);
    expect(faults(schema, { in: { a: 2 } }, { in: { a: 1 } })).toHaveLength(1);
  });
});

describe('rules that cannot be asked', () => {
  const check = (rule: ValidationRule, uncorrelatable?: string): string[] => {
    const causes = new Causes();
    checkRules(object(fields, rule), new FieldAt('s', causes), { uncorrelatable, root: false });
    return causes.list.map(
      (c) => `${(c.field ?? '').replace('s.x-kubernetes-validations[0].', '')}: ${c.message}`,
    );
  };
  it.each<[ValidationRule, string[]]>([
    [{ rule: 'self.a > 1' }, []],
    [{ rule: ' ' }, ['rule: Required value: rule is not specified']],
    [{ rule: 'self.a >' }, [expect.stringContaining("Syntax error: mismatched input '<EOF>'") as never]],
    [
      { rule: 'nobody' },
      [
        `rule: Invalid value: "nobody": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')\n | nobody\n | ^`,
      ],
    ],
    ...(
      [
        ['self.zz > 1', "<input>:1:5: undefined field 'zz'"],
        ['has(self.zz)', "<input>:1:9: undefined field 'zz'"],
        ['self.items.all(i, i.nobody == 1)', "<input>:1:20: undefined field 'nobody'"],
        ["self.a == 'x'", "found no matching overload for '_==_' applied to '(int, string)'"],
        ['self.a.b == 1', "type 'int' does not support field selection"],
        ['self.a', 'cel expression must evaluate to a bool'],
        ['self.metadata.labels.size() == 0', "undefined field 'metadata'"],
        ['self.dash-ed == "a"', "undeclared reference to 'ed'"],
      ] as const
    ).map(([rule, why]) => [{ rule }, [expect.stringContaining(why) as never]] as [ValidationRule, string[]]),
    [{ rule: "self.note == null || self.name == 'x' || self.free == oldSelf.free" }, []],
    [{ rule: 'oldSelf.orValue(self).a == 1', optionalOldSelf: true }, []],
    [
      { rule: 'oldSelf.value().zz == 1', optionalOldSelf: true },
      [expect.stringContaining("undefined field 'zz'") as never],
    ],
    [{ rule: '1 + 1' }, ['rule: Invalid value: "1 + 1": cel expression must evaluate to a bool']],
    [
      { rule: "picture(self.name).tag() == 'a'" },
      [expect.stringContaining("<input>:1:8: undeclared reference to 'picture' (in container '')") as never],
    ],
    [{ rule: "self.name.matches('(')" }, [expect.stringContaining('invalid matches argument') as never]],
    [
      { rule: 'true', messageExpression: '1' },
      ['messageExpression: Invalid value: "1": messageExpression must evaluate to a string'],
    ],
    [{ rule: 'true', message: ' ' }, ['message: Invalid value: " ": message must be non-empty if specified']],
    [
      { rule: 'true ||\nfalse' },
      ['message: Required value: message must be specified if rule contains line breaks'],
    ],
    [
      { rule: 'true', optionalOldSelf: true },
      ['optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule'],
    ],
    [
      { rule: 'true', reason: 'Bad' },
      [
        'reason: Unsupported value: "Bad": supported values: "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired", "FieldValueDuplicate"',
      ],
    ],
    [
      { rule: 'true', fieldPath: '.nowhere' },
      ['fieldPath: Invalid value: ".nowhere": fieldPath must be a valid path'],
    ],
    [{ rule: 'true', fieldPath: ".labels['a/b']" }, []],
  ])('%j', (rule, told) => {
    expect(check(rule)).toEqual(told);
  });

  it('what cannot be followed has no past', () => {
    expect(check({ rule: 'self.a == oldSelf.a' }, 'spec.tags')).toEqual([
      'rule: Invalid value: "self.a == oldSelf.a": oldSelf cannot be used on the uncorrelatable portion of the schema within spec.tags',
    ]);
  });
});

it.each([
  "has(self.items) && self.items.exists_one(i, i.name == 'p' && has(i.size)) ? has(self.items[0].size) : true",
  'self.items.all(i, self.items.exists_one(j, i.name == j.name && (has(i.size) && has(j.size) ? i.size == j.size : !has(i.size))))',
  'size(self.items.filter(i, has(i.size))) <= self.items.size() && self.items.map(i, i.size).sum() < 10',
  "self.items[?0].?name.orValue('x') != '' && self.?when.hasValue()",
  'self == oldSelf || self.items == oldSelf.items',
  "(has(self.name) ? 1 : 0) + (has(self.note) ? 1 : 0) == 1 && [self.name, self.note].filter(x, x != '').size() == 1",
  "self.port == 1 || self.port == '10%' || type(self.port) == int",
  'self.name in self.items.map(i, i.name) && self.items.map(i, i.size).exists(n, n in [self.a, self.b])',
  'self.name.matches(r"""^(?:[-a-z]|[%][0-9a-f]{2})+$""") && self.wait > duration(\'0s\')',
  "quantity(self.name).isLessThan(quantity('1Gi')) && dyn(self.a) == dyn(1.0)",
])('the types of a schema do not get in the way of %s', (rule) => {
  const causes = new Causes();
  checkRules(object(fields, { rule }), new FieldAt('', causes), { uncorrelatable: undefined, root: false });
  expect(causes.list).toEqual([]);
});

it.each([
  ["self.kind == 'K' && self.metadata.name != '' && has(self.spec.a)", []],
  ['self.metadata.labels.size() == 0', ["undefined field 'labels'"]],
  ['self.status.a == 1', ["undefined field 'status'"]],
])('of a whole resource one sees who it is: %s', (rule, wanted) => {
  const causes = new Causes();
  const schema = object({ spec: object({ a: whole }), metadata: { type: 'object' } }, { rule });
  checkRules(schema, new FieldAt('', causes), { uncorrelatable: undefined, root: true });
  expect(causes.list.map(({ message }) => /undefined field '\w+'/.exec(message ?? '')?.[0])).toEqual(wanted);
});

it.each([
  ['.a.b', ['a', 'b']],
  [".a['b.c']", ['a', 'b.c']],
  ['a', undefined],
  ['.a[0]', undefined],
])('the path %s', (path, names) => expect(parseFieldPath(path)).toEqual(names));

it.each([
  ['plain', 'plain'],
  ['in', '__in__'],
  ['a.b', 'a__dot__b'],
  ['a-b/c', 'a__dash__b__slash__c'],
  ['a__b', 'a__underscores__b'],
  ['1a', undefined],
  ['a b', undefined],
])('the name %s', (name, escaped) => expect(escapedName(name)).toBe(escaped));

it('finds rules wherever they are', () => {
  expect(hasRules(spec({}))).toBe(false);
  expect(hasRules({ type: 'array', items: object({}, { rule: 'true' }) })).toBe(true);
});

it('any text is a rule or is told why it is none', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'selfold.a()[]&|!<>=\'"1 ?:,') })),
      (rule) => {
        const causes = new Causes();
        checkRules(object(fields, { rule }), new FieldAt('s', causes), {
          uncorrelatable: undefined,
          root: false,
        });
        if (causes.list.length === 0) faults(spec(fields, rule), { a: 1 });
      },
    ),
  );
});
