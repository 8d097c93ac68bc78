// Field errors collected during validation, worded as apimachinery's validation/field package words them.
import { invalid, type StatusCause, type StatusError } from './status-error.ts';

/** How a bad value is shown: strings quoted, objects as JSON, nothing as null. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === undefined || value === null) return 'null';
  return JSON.stringify(value);
}

/** The path of a field: `spec.containers[0].name`, `metadata.labels[app]`. */
export const at = {
  child: (path: string, name: string): string => (path === '' ? name : `${path}.${name}`),
  index: (path: string, i: number): string => `${path}[${i}]`,
  key: (path: string, key: string): string => `${path}[${key}]`,
};

/** Collects causes in the order in which the rules ran. Paths are full: `spec.template.spec.containers[0].image`. */
export class Causes {
  readonly list: StatusCause[] = [];

  get empty(): boolean {
    return this.list.length === 0;
  }

  required(field: string, detail = ''): void {
    this.list.push({
      reason: 'FieldValueRequired',
      message: detail === '' ? 'Required value' : `Required value: ${detail}`,
      field,
    });
  }

  invalid(field: string, value: unknown, detail: string): void {
    this.list.push({
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${show(value)}: ${detail}`,
      field,
    });
  }

  typeInvalid(field: string, value: unknown, detail: string): void {
    this.list.push({
      reason: 'FieldValueTypeInvalid',
      message: `Invalid value: ${show(value)}: ${detail}`,
      field,
    });
  }

  notSupported(field: string, value: unknown, supported: readonly string[]): void {
    const list = [...supported].map((s) => JSON.stringify(s)).join(', ');
    this.list.push({
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: ${show(value)}: supported values: ${list}`,
      field,
    });
  }

  duplicate(field: string, value: unknown): void {
    this.list.push({ reason: 'FieldValueDuplicate', message: `Duplicate value: ${show(value)}`, field });
  }

  forbidden(field: string, detail: string): void {
    this.list.push({
      reason: 'FieldValueForbidden',
      message: detail === '' ? 'Forbidden' : `Forbidden: ${detail}`,
      field,
    });
  }

  tooLong(field: string, maxLength: number): void {
    this.list.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${maxLength} bytes`,
      field,
    });
  }

  tooMany(field: string, actual: number, max: number): void {
    this.list.push({
      reason: 'FieldValueTooMany',
      message: `Too many: ${actual}: must have at most ${max} items`,
      field,
    });
  }

  notFound(field: string, value: unknown): void {
    this.list.push({ reason: 'FieldValueNotFound', message: `Not found: ${show(value)}`, field });
  }

  /** The 422 for these causes, or undefined when there are none. */
  toError(group: string, kind: string, name: string): StatusError | undefined {
    return this.empty ? undefined : invalid(group, kind, name, this.list);
  }
}
