// JSON as expressions see it when there is no schema: texts stay texts, whole numbers are integers, and what is undefined is not there.
import { isMap } from '../structural/json-schema.ts';

/** Remembers how long the longest list or map was that it has seen. */
export class PlainValues {
  members = 0;

  of(value: unknown): unknown {
    if (value === undefined) return null;
    if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
    if (Array.isArray(value)) {
      this.members = Math.max(this.members, value.length);
      return value.map((item) => this.of(item));
    }
    if (!isMap(value)) return value;
    const out = new Map<string, unknown>();
    for (const key of Object.keys(value)) if (value[key] !== undefined) out.set(key, this.of(value[key]));
    this.members = Math.max(this.members, out.size);
    return out;
  }

  /** Looks at what an expression made: lists and maps in it may be longer than any that it was made of. */
  measure(value: unknown): void {
    if (Array.isArray(value)) {
      this.members = Math.max(this.members, value.length);
      for (const item of value) this.measure(item);
    } else if (value instanceof Map) {
      this.members = Math.max(this.members, value.size);
      for (const item of value.values()) this.measure(item);
    }
  }
}
