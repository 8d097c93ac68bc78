// x-kubernetes-validations: what the author of a custom resource demands of its values, and of how they change. Rules of a node are asked
// before those below it. What a rule says of a value that did not change is not held against an update, unless it is about the change.
import { earlierItems } from '../structural/earlier-items.ts';
import {
  isMap,
  itemsOf,
  type JsonSchema,
  propertyOf,
  type ValidationRule,
  valuesOf,
} from '../structural/json-schema.ts';
import type { FieldAt } from '../validation/field-at.ts';
import {
  compileExpression,
  type Expression,
  faultText,
  maxCost,
  none,
  outOfBudget,
  some,
  toDuration,
} from './expression.ts';
import { identityOf } from './library.ts';
import { TypedRules } from './typed-rules.ts';
import { celValue } from './values.ts';

const validations = 'x-kubernetes-validations';

export const hasRules = (schema: JsonSchema | undefined): boolean =>
  schema !== undefined &&
  ((schema[validations]?.length ?? 0) > 0 ||
    hasRules(itemsOf(schema)) ||
    hasRules(valuesOf(schema)) ||
    Object.values(schema.properties ?? {}).some(hasRules));

interface Values {
  readonly value: unknown;
  /** undefined = there is none that this one came from. */
  readonly old: unknown;
}

/** Asks every rule; the values fit the schema. `old` undefined = it is new. Pure. */
export function validateRules(schema: JsonSchema, values: Values, field: FieldAt): void {
  walk(schema, values, field, true);
}

function walk(schema: JsonSchema, { value, old }: Values, field: FieldAt, root: boolean): void {
  if (value === undefined || value === null) return;
  const rules = schema[validations] ?? [];
  if (rules.length > 0)
    askAll(schema, { value, old: old === null ? undefined : old }, { field, root, rules });
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined || !hasRules(items)) return;
    const before = earlierItems(schema, old);
    for (const [i, item] of value.entries())
      walk(items, { value: item, old: before(item) }, field.index(i), false);
    return;
  }
  if (!isMap(value)) return;
  const values = valuesOf(schema);
  for (const key of Object.keys(value)) {
    const property = propertyOf(schema, key);
    const inner = property ?? values;
    if (inner === undefined || !hasRules(inner)) continue;
    const before = isMap(old) && Object.hasOwn(old, key) ? old[key] : undefined;
    const at = property === undefined ? field.key(key) : field.child(key);
    walk(inner, { value: value[key], old: before }, at, false);
  }
}

interface Node {
  readonly field: FieldAt;
  readonly root: boolean;
  readonly rules: readonly ValidationRule[];
}

function askAll(schema: JsonSchema, { value, old }: Values, { field, root, rules }: Node): void {
  let members = 0;
  const options = {
    root,
    duration: toDuration,
    counted: (count: number) => {
      members = Math.max(members, count);
    },
  };
  const self = celValue(schema, value, options);
  const before = old === undefined ? undefined : celValue(schema, old, options);
  const unchanged = old !== undefined && identityOf(value) === identityOf(old);
  for (const rule of rules) {
    const compiled = compileExpression(rule.rule, 'bool', rule);
    if (!compiled.ok) {
      field.invalid(shownType(schema), `rule compile error: ${compiled.error}`);
      continue;
    }
    const { usesOldSelf } = compiled.value;
    if (unchanged && !usesOldSelf) continue;
    const optional = rule.optionalOldSelf === true;
    if (usesOldSelf && before === undefined && !optional) continue;
    const oldSelf = optional ? (before === undefined ? none() : some(before)) : before;
    if (compiled.value.cost(members) > maxCost) {
      field.invalid(shownType(schema), outOfBudget);
      return;
    }
    ask(compiled.value, { self, oldSelf, members }, { schema, value, rule, field });
  }
}

function ask(
  expression: Expression,
  given: { self: unknown; oldSelf: unknown; members: number },
  {
    schema,
    value,
    rule,
    field,
  }: { schema: JsonSchema; value: unknown; rule: ValidationRule; field: FieldAt },
): void {
  const type = shownType(schema);
  let holds: unknown;
  try {
    holds = expression.evaluate(given.self, given.oldSelf);
    if (typeof holds !== 'boolean') throw new Error('the rule does not evaluate to a bool');
  } catch (error) {
    field.invalid(
      type,
      `${(error as Error).message} evaluating rule: ${rule.message?.trim() || ruleText(rule)}`,
    );
    return;
  }
  if (holds) return;
  const at = placeOf(rule, field);
  const shown = schema.type !== 'object' && schema.type !== 'array';
  const detail = ownMessage(rule, given) ?? (rule.message?.trim() || `failed rule: ${ruleText(rule)}`);
  switch (rule.reason) {
    case 'FieldValueForbidden':
      at.forbidden(detail);
      return;
    case 'FieldValueRequired':
      at.required(detail);
      return;
    case 'FieldValueDuplicate':
      if (shown) at.duplicate(value);
      else at.duplicateUnshown();
      return;
    default:
      if (shown) at.invalid(value, detail);
      else at.invalidUnshown(detail);
  }
}

const ruleText = ({ rule }: ValidationRule): string => rule.trim();

/** What is shown where a rule could not be asked: the type of what is at fault, not its value. */
const shownType = (schema: JsonSchema): string =>
  schema['x-kubernetes-int-or-string'] === true ? 'string' : (schema.type ?? 'object');

/** What `messageExpression` comes to; undefined = it comes to nothing that can be shown. */
function ownMessage(
  rule: ValidationRule,
  { self, oldSelf, members }: { self: unknown; oldSelf: unknown; members: number },
): string | undefined {
  const { messageExpression } = rule;
  if (messageExpression === undefined || messageExpression === '') return undefined;
  const compiled = compileExpression(messageExpression, 'string', rule);
  if (!compiled.ok || compiled.value.cost(members) > maxCost) return undefined;
  try {
    const text = compiled.value.evaluate(self, oldSelf);
    if (typeof text !== 'string' || text.includes('\n')) return undefined;
    return text.trim() || undefined;
  } catch {
    return undefined;
  }
}

const placeOf = ({ fieldPath }: ValidationRule, field: FieldAt): FieldAt =>
  (fieldPath === undefined || fieldPath === '' ? [] : (parseFieldPath(fieldPath) ?? [])).reduce(
    (at, name) => at.child(name),
    field,
  );

/** `.spec.a['b.c']` as its names; undefined = it is no such path. */
export function parseFieldPath(text: string): readonly string[] | undefined {
  const names: string[] = [];
  const part = /\.([a-zA-Z_][a-zA-Z0-9_-]*)|\['((?:[^'\\]|\\.)+)'\]/y;
  while (part.lastIndex < text.length) {
    const m = part.exec(text);
    if (m === null) return undefined;
    names.push(m[1] ?? m[2]!.replace(/\\(.)/g, '$1'));
  }
  return names;
}

const reasons = ['FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired', 'FieldValueDuplicate'];

export interface RulePlace {
  /** Where on the way to the node what was cannot be told from what is; undefined = nowhere. */
  readonly uncorrelatable: string | undefined;
  /** The node is the whole resource. */
  readonly root: boolean;
}

/** Whether the rules of a node can be asked at all. */
export function checkRules(schema: JsonSchema, field: FieldAt, { uncorrelatable, root }: RulePlace): void {
  const typed = new TypedRules(schema, root);
  for (const [i, rule] of (schema[validations] ?? []).entries()) {
    const at = field.child(validations).index(i);
    const { message, messageExpression, fieldPath, reason } = rule;
    if (ruleText(rule) === '') {
      at.child('rule').required('rule is not specified');
      continue;
    }
    const untyped = compileExpression(rule.rule, 'bool', rule);
    const compiled = untyped.ok ? (typed.fault(rule.rule, rule, 'bool') ?? untyped) : untyped;
    if (!compiled.ok)
      at.child('rule').invalid(
        rule.rule,
        compiled.typed === true ? 'cel expression must evaluate to a bool' : faultText(compiled),
      );
    else if (compiled.value.usesOldSelf && uncorrelatable !== undefined)
      at.child('rule').invalid(
        rule.rule,
        `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`,
      );
    else if (rule.optionalOldSelf !== undefined && !compiled.value.usesOldSelf)
      at.child('optionalOldSelf').invalid(
        rule.optionalOldSelf,
        'may not be set if oldSelf is not used in rule',
      );
    if (message !== undefined && message !== '' && message.trim() === '')
      at.child('message').invalid(message, 'message must be non-empty if specified');
    else if (message?.trim().includes('\n'))
      at.child('message').invalid(message, 'message must not contain line breaks');
    else if (ruleText(rule).includes('\n') && !message)
      at.child('message').required('message must be specified if rule contains line breaks');
    if (messageExpression !== undefined && messageExpression !== '') {
      const untypedText = compileExpression(messageExpression, 'string', rule);
      const text = untypedText.ok
        ? (typed.fault(messageExpression, rule, 'string') ?? untypedText)
        : untypedText;
      if (messageExpression.trim() === '')
        at.child('messageExpression').required('messageExpression must be non-empty if specified');
      else if (!text.ok)
        at.child('messageExpression').invalid(
          messageExpression,
          text.typed === true
            ? 'messageExpression must evaluate to a string'
            : `messageExpression compilation failed: ${text.error}`,
        );
    }
    if (reason !== undefined && !reasons.includes(reason)) at.child('reason').notSupported(reason, reasons);
    if (fieldPath !== undefined && fieldPath !== '' && !leadsSomewhere(schema, fieldPath))
      at.child('fieldPath').invalid(fieldPath, 'fieldPath must be a valid path');
  }
}

function leadsSomewhere(schema: JsonSchema, path: string): boolean {
  const names = parseFieldPath(path);
  if (names === undefined || names.length === 0) return false;
  let at: JsonSchema | undefined = schema;
  for (const name of names) at = propertyOf(at, name) ?? valuesOf(at);
  return at !== undefined;
}
