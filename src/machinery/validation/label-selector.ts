// Rules of labels and label selectors, wherever an object carries them.
import { at, type Causes } from '../status/causes.ts';
import { checkLabelKey, checkLabelValue } from './names.ts';

/** The parts of `meta.v1.LabelSelector`; the generated interface has the same shape. */
export interface LabelSelectorParts {
  matchLabels?: Readonly<Record<string, string>> | undefined;
  matchExpressions?:
    | readonly { key: string; operator: string; values?: readonly string[] | undefined }[]
    | undefined;
}

/** Keys in order: Go sorts maps when it encodes, so messages come in a stable order here too. */
export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
  causes: Causes,
): void {
  if (labels === undefined) return;
  for (const key of Object.keys(labels).sort()) {
    for (const message of checkLabelKey(key)) causes.invalid(path, key, message);
    const value = labels[key]!;
    for (const message of checkLabelValue(value)) causes.invalid(path, value, message);
  }
}

export function validateLabelSelector(
  selector: LabelSelectorParts | undefined,
  path: string,
  causes: Causes,
): void {
  if (selector === undefined) return;
  validateLabels(selector.matchLabels, at.child(path, 'matchLabels'), causes);
  selector.matchExpressions?.forEach((requirement, i) => {
    const here = at.index(at.child(path, 'matchExpressions'), i);
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0)
          causes.required(at.child(here, 'values'), "must be specified when `operator` is 'In' or 'NotIn'");
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0)
          causes.forbidden(
            at.child(here, 'values'),
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
          );
        break;
      default:
        causes.invalid(at.child(here, 'operator'), requirement.operator, 'not a valid selector operator');
    }
    for (const message of checkLabelKey(requirement.key))
      causes.invalid(at.child(here, 'key'), requirement.key, message);
    values.forEach((value, j) => {
      for (const message of checkLabelValue(value))
        causes.invalid(at.index(at.child(here, 'values'), j), value, message);
    });
  });
}
