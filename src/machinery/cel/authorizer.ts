// The variable `authorizer` of expressions and what its functions give (authorizer-library.ts). Whom it asks is the caller's; here is
// only how a question is put together.

export interface AccessQuestion {
  /** undefined = whoever sent the request */
  readonly serviceAccount: { readonly namespace: string; readonly name: string } | undefined;
  readonly verb: string;
  /** '' = it is about a resource */
  readonly path: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface AccessAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  /** '' = none */
  readonly error: string;
}

export type AskAccess = (question: AccessQuestion) => AccessAnswer;

/** The resource that a request is for. */
export type RequestResource = Pick<
  AccessQuestion,
  'group' | 'resource' | 'subresource' | 'namespace' | 'name'
>;

type ServiceAccount = AccessQuestion['serviceAccount'];

const nothing = {
  serviceAccount: undefined as ServiceAccount,
  verb: '',
  path: '',
  group: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
};

/** A question that is not whole yet. */
export class Asking {
  readonly ask: AskAccess;
  readonly question: AccessQuestion;
  constructor(ask: AskAccess, question: AccessQuestion) {
    this.ask = ask;
    this.question = question;
  }
}

export class PathCheck extends Asking {}
export class GroupCheck extends Asking {}
export class ResourceCheck extends Asking {}

export class Authorizer extends Asking {
  /** Its one field, `authorizer.requestResource`. */
  readonly requestResource: ResourceCheck;

  constructor(ask: AskAccess, resource: RequestResource, serviceAccount?: ServiceAccount) {
    super(ask, { ...nothing, serviceAccount });
    this.requestResource = new ResourceCheck(ask, { ...nothing, ...resource });
  }
}
