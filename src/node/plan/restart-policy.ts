// Whether a container that has ended runs again: its own rules and policy first, then the pod's.
import { type coreV1, isSidecar, type Pod } from '../../api/index.ts';

export type RestartPolicy = 'Always' | 'OnFailure' | 'Never';

function ruleMatches(rule: coreV1.ContainerRestartRule, exitCode: number): boolean {
  const { operator, values = [] } = rule.exitCodes ?? {};
  if (operator === 'In') return values.includes(exitCode);
  if (operator === 'NotIn') return !values.includes(exitCode);
  return false;
}

export const restartPolicyOf = (pod: Pod, container: coreV1.Container): RestartPolicy =>
  (container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always') as RestartPolicy;

/** An app container that ended with `exitCode`. */
export function restartsAfter(pod: Pod, container: coreV1.Container, exitCode: number): boolean {
  for (const rule of container.restartPolicyRules ?? [])
    if (rule.action === 'Restart' && ruleMatches(rule, exitCode)) return true;
  const policy = restartPolicyOf(pod, container);
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** An init container is run again until it succeeds, unless the pod gives up at the first failure. */
export function initRestartsAfter(pod: Pod, container: coreV1.Container, exitCode: number): boolean {
  if (isSidecar(container)) return true;
  if (exitCode === 0) return false;
  for (const rule of container.restartPolicyRules ?? [])
    if (rule.action === 'Restart' && ruleMatches(rule, exitCode)) return true;
  return restartPolicyOf(pod, container) !== 'Never';
}
