// Rules of a container's own restart policy, and of its exceptions by exit code.
import type { FieldAt } from '../../../../../machinery/index.ts';
import type { Container } from '../../../../generated/core-v1.ts';

const maxRules = 20;
const maxExitCodes = 255;

export function validateRestartRules(container: Container, field: FieldAt): void {
  const { restartPolicy, restartPolicyRules = [] } = container;
  const policy = field.child('restartPolicy');
  policy.oneOf(restartPolicy, ['Always', 'Never', 'OnFailure']);
  if (restartPolicyRules.length === 0) return;
  if (restartPolicy === undefined) policy.required('must specify restartPolicy when restart rules are used');
  const rules = field.child('restartPolicyRules');
  if (restartPolicyRules.length > maxRules)
    field.causes.tooMany(rules.path, restartPolicyRules.length, maxRules);
  for (const [i, rule] of restartPolicyRules.entries()) {
    const here = rules.index(i);
    here.child('action').oneOf(rule.action, ['Restart']);
    const codes = here.child('exitCodes');
    if (rule.exitCodes === undefined) {
      codes.required('must be specified');
      continue;
    }
    codes.child('operator').oneOf(rule.exitCodes.operator, ['In', 'NotIn']);
    const values = rule.exitCodes.values ?? [];
    if (values.length > maxExitCodes)
      field.causes.tooMany(codes.child('values').path, values.length, maxExitCodes);
  }
}
