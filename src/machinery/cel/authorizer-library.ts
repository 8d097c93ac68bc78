// Kubernetes' library of authorization checks: `authorizer.group('').resource('pods').namespace('x').check('create').allowed()`.
import type { Environment } from '@marcbachmann/cel-js';
import { checkDns1123Label, checkDns1123Subdomain } from '../validation/names.ts';
import {
  type AccessAnswer,
  type AccessQuestion,
  type Asking,
  Authorizer,
  GroupCheck,
  PathCheck,
  ResourceCheck,
} from './authorizer.ts';

class Decision {
  readonly answer: AccessAnswer;
  constructor(answer: AccessAnswer) {
    this.answer = answer;
  }
}

const said = (text: string, what: string): string => {
  if (text.trim() === '') throw new Error(`${what} must not be empty`);
  return text;
};

const narrowed = ({ ask, question }: Asking, more: Partial<AccessQuestion>): ResourceCheck =>
  new ResourceCheck(ask, { ...question, ...more });

const decided = ({ ask, question }: Asking, verb: string): Decision =>
  new Decision(ask({ ...question, verb }));

// biome-ignore lint/suspicious/noExplicitAny: the signature beside it says what each takes
type Handler = (...args: any[]) => unknown;

const functions: Readonly<Record<string, Handler>> = {
  'Authorizer.path(string): PathCheck': ({ ask, question }: Authorizer, path: string) =>
    new PathCheck(ask, { ...question, path: said(path, 'path') }),
  'Authorizer.group(string): GroupCheck': ({ ask, question }: Authorizer, group: string) =>
    new GroupCheck(ask, { ...question, group }),
  'Authorizer.serviceAccount(string, string): Authorizer': (
    { ask, requestResource }: Authorizer,
    namespace: string,
    name: string,
  ) => {
    if (checkDns1123Subdomain(name).length > 0) throw new Error('Invalid service account name');
    if (checkDns1123Label(namespace).length > 0) throw new Error('Invalid service account namespace');
    return new Authorizer(ask, requestResource.question, { namespace, name });
  },
  'GroupCheck.resource(string): ResourceCheck': (check: GroupCheck, resource: string) =>
    narrowed(check, { resource: said(resource, 'resource') }),
  'ResourceCheck.subresource(string): ResourceCheck': (check: ResourceCheck, subresource: string) =>
    narrowed(check, { subresource }),
  'ResourceCheck.namespace(string): ResourceCheck': (check: ResourceCheck, namespace: string) =>
    narrowed(check, { namespace }),
  'ResourceCheck.name(string): ResourceCheck': (check: ResourceCheck, name: string) =>
    narrowed(check, { name }),
  // No authorizer here looks at selectors, so they make no difference to what is allowed.
  'ResourceCheck.fieldSelector(string): ResourceCheck': (check: ResourceCheck) => check,
  'ResourceCheck.labelSelector(string): ResourceCheck': (check: ResourceCheck) => check,
  'PathCheck.check(string): Decision': decided,
  'ResourceCheck.check(string): Decision': decided,
  'Decision.allowed(): bool': ({ answer }: Decision) => answer.allowed,
  'Decision.reason(): string': ({ answer }: Decision) => answer.reason,
  'Decision.errored(): bool': ({ answer }: Decision) => answer.error !== '',
  'Decision.error(): string': ({ answer }: Decision) => answer.error,
};

/** With the variable `authorizer`. */
export function addAuthorizer(environment: Environment): Environment {
  environment.registerType('PathCheck', PathCheck);
  environment.registerType('GroupCheck', GroupCheck);
  environment.registerType('ResourceCheck', ResourceCheck);
  environment.registerType('Decision', Decision);
  environment.registerType('Authorizer', {
    ctor: Authorizer,
    fields: { requestResource: 'ResourceCheck' },
  } as never);
  for (const [signature, handler] of Object.entries(functions))
    environment.registerFunction(signature, handler, { async: false } as never);
  return environment.registerVariable('authorizer', 'Authorizer');
}
