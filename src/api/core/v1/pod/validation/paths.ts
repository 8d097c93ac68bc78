// Rules of paths below a volume, and of file modes.
import { checkDescendingPath, type FieldAt } from '../../../../../machinery/index.ts';

/** A file below a volume's root that does not look like the `..data` links of atomic writers. */
export function checkFilePath(path: string): readonly string[] {
  const found = checkDescendingPath(path);
  return path.startsWith('..') && !path.startsWith('../') ? [...found, "must not start with '..'"] : found;
}

export function validateFileMode(mode: number | undefined, field: FieldAt): void {
  if (mode !== undefined && (mode < 0 || mode > 0o777))
    field.invalid(mode, 'must be a number between 0 and 0777 (octal), both inclusive');
}
