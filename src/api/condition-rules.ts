// The rules of conditions in a status, for the kinds that have them checked.
import { checkQualifiedName, type FieldAt } from '../machinery/index.ts';
import type { Condition } from './generated/meta-v1.ts';

const maxReasonBytes = 1024;
const maxMessageBytes = 32768;
const reasonPattern = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const reasonForm = new RegExp(`^${reasonPattern}$`);

export function validateConditions(conditions: readonly Condition[], field: FieldAt): void {
  const seen = new Set<string>();
  for (const [i, condition] of conditions.entries()) {
    const here = field.index(i);
    const {
      type = '',
      status = '',
      observedGeneration,
      lastTransitionTime,
      reason = '',
      message = '',
    } = condition;
    if (seen.has(type)) here.child('type').duplicate(type);
    seen.add(type);
    if (type === '') here.child('type').required('must be set');
    else here.child('type').refuse(type, checkQualifiedName(type));
    here.child('status').oneOf(status, ['False', 'True', 'Unknown']);
    if ((observedGeneration ?? 0) < 0)
      here.child('observedGeneration').invalid(observedGeneration, 'must be greater than or equal to zero');
    // always written, and so null when nothing was given
    if (!lastTransitionTime) here.child('lastTransitionTime').required('must be set');
    if (Buffer.byteLength(reason) > maxReasonBytes) here.child('reason').tooLong(maxReasonBytes);
    if (reason === '') here.child('reason').required('must be set');
    else if (!reasonForm.test(reason))
      here
        .child('reason')
        .invalid(
          reason,
          `a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '${reasonPattern}')`,
        );
    if (Buffer.byteLength(message) > maxMessageBytes) here.child('message').tooLong(maxMessageBytes);
  }
}
