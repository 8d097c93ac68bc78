// A place in an object while it is being checked: the path to it and where complaints go. Rules take one instead of a path and a
// list, so that a rule reads as what it demands.
import { at, type Causes } from '../status/causes.ts';
import { semanticEqual } from './equal.ts';
import { immutableMessage } from './names.ts';

export class FieldAt {
  readonly path: string;
  readonly causes: Causes;

  constructor(path: string, causes: Causes) {
    this.path = path;
    this.causes = causes;
  }

  child(...names: readonly string[]): FieldAt {
    return new FieldAt(names.reduce(at.child, this.path), this.causes);
  }

  index(i: number): FieldAt {
    return new FieldAt(at.index(this.path, i), this.causes);
  }

  key(key: string): FieldAt {
    return new FieldAt(at.key(this.path, key), this.causes);
  }

  required(detail = ''): void {
    this.causes.required(this.path, detail);
  }

  invalid(value: unknown, detail: string): void {
    this.causes.invalid(this.path, value, detail);
  }

  forbidden(detail: string): void {
    this.causes.forbidden(this.path, detail);
  }

  duplicate(value: unknown): void {
    this.causes.duplicate(this.path, value);
  }

  /** A value that is wrong as a whole, and too long or too much of a set to be shown. */
  invalidUnshown(detail: string): void {
    this.causes.list.push({
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${detail}`,
      field: this.path,
    });
  }

  /** A value that is there twice, and too long to be shown. */
  duplicateUnshown(): void {
    this.causes.list.push({ reason: 'FieldValueDuplicate', message: 'Duplicate value', field: this.path });
  }

  tooMany(actual: number, max: number): void {
    this.causes.tooMany(this.path, actual, max);
  }

  notFound(value: unknown): void {
    this.causes.notFound(this.path, value);
  }

  tooLong(maxBytes: number): void {
    this.causes.tooLong(this.path, maxBytes);
  }

  notSupported(value: unknown, supported: readonly string[]): void {
    this.causes.notSupported(this.path, value, supported);
  }

  /** One complaint for each message: the result of a check of machinery/validation. */
  refuse(value: unknown, messages: readonly string[]): void {
    for (const message of messages) this.invalid(value, message);
  }

  /** An optional choice: undefined is fine, everything outside the list (also '') is not. */
  oneOf(value: string | undefined, supported: readonly string[]): void {
    if (value !== undefined && !supported.includes(value)) this.notSupported(value, supported);
  }

  /** A choice that must be made. */
  requiredOneOf(value: string | undefined, supported: readonly string[]): void {
    if (value === undefined || value === '') this.required();
    else this.oneOf(value, supported);
  }

  /** A text that must be there and follow a rule. */
  requiredText(value: string | undefined, check?: (value: string) => readonly string[]): void {
    if (value === undefined || value === '') this.required();
    else if (check !== undefined) this.refuse(value, check(value));
  }

  /** What an update may not change. Absent, null and empty are the same. */
  immutable(value: unknown, old: unknown): void {
    if (!semanticEqual(value, old)) this.invalid(value ?? null, immutableMessage);
  }

  notNegative(value: number | undefined): void {
    if ((value ?? 0) < 0) this.invalid(value, 'must be greater than or equal to 0');
  }
}
