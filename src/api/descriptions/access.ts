// What kubectl explain says of who may do what: rbac, authentication, authorization, certificates, flow control, and of
// admissionregistration. The notation is read by descriptions.ts.
export const rbac = `
AggregationRule: Roles whose rules are gathered here.
  clusterRoleSelectors: Labels of those ClusterRoles; one match is enough.
ClusterRole: Rights in all namespaces and on kinds of the whole cluster.
  aggregationRule: Roles whose rules are gathered here; rules are then written by the controller.
  rules: The rights.
ClusterRoleBinding: Gives somebody the rights of a ClusterRole everywhere.
  roleRef: The ClusterRole. Cannot be changed.
  subjects: Who gets them.
PolicyRule: Verbs on things; all members must match.
  apiGroups: API groups; "" = core, * = all.
  nonResourceURLs: Paths that are not resources; a * at the end matches the rest. ClusterRoles only.
  resourceNames: Names of objects; left out = all.
  resources: Resources, in the plural, pods/log for subresources; * = all.
  verbs: What may be done; * = anything.
Role: Rights in one namespace.
  rules: The rights.
RoleBinding: Gives somebody the rights of a Role, or of a ClusterRole, in one namespace.
  roleRef: The role. Cannot be changed.
  subjects: Who gets them.
RoleRef: A role.
  apiGroup: Always rbac.authorization.k8s.io.
  kind: Role or ClusterRole.
  name: Its name.
Subject: A user, group or service account.
  apiGroup: "" for service accounts, rbac.authorization.k8s.io for the others.
  kind: User, Group or ServiceAccount.
  name: Its name.
  namespace: The namespace of a service account.
`;

export const authentication = `
BoundObjectReference: The object that a token dies with.
  apiVersion: Its API version.
  kind: Its kind: Pod, Secret or Node.
  name: Its name.
  uid: Its uid.
SelfSubjectReview: Tells the caller who the server takes them for.
SelfSubjectReviewStatus: Who the caller is.
  userInfo: The user.
TokenRequest: Asks for a token of a service account.
TokenRequestSpec: The token that is wanted.
  audiences: Who the token is for.
  boundObjectRef: The object that the token dies with.
  expirationSeconds: How long it should hold. Left out = 3600.
TokenRequestStatus: The token.
  expirationTimestamp: When it expires.
  token: The token.
TokenReview: Asks who a token belongs to.
TokenReviewSpec: The token.
  audiences: Who the token should be for; left out = the API server.
  token: The token.
TokenReviewStatus: Who it belongs to.
  audiences: Those of the asked audiences that the token is for.
  authenticated: Whether it is valid.
  error: Why it could not be checked.
  user: The user.
UserInfo: A user.
  extra: Further facts, from the authenticator.
  groups: Groups.
  uid: An ID that is never given to another.
  username: The name.
`;

export const authorization = `
FieldSelectorAttributes: A field selector of a request; one member is given.
  rawSelector: The selector as text.
  requirements: The selector in parts; all hold.
LabelSelectorAttributes: A label selector of a request; one member is given.
  rawSelector: The selector as text.
  requirements: The selector in parts; all hold.
LocalSubjectAccessReview: Asks whether somebody may do something in one namespace.
NonResourceAttributes: A call of a path that is not a resource.
  path: The path.
  verb: The verb, such as get.
NonResourceRule: Verbs on paths.
  nonResourceURLs: Paths; a * at the end matches the rest.
  verbs: The verbs; * = all.
ResourceAttributes: A call on a resource.
  fieldSelector: The field selector of a list, watch or deletecollection.
  group: The API group; * = all.
  labelSelector: The label selector of a list, watch or deletecollection.
  name: The name of the object; empty = all.
  namespace: The namespace; empty = all, or none.
  resource: The resource, in the plural; * = all.
  subresource: The subresource; empty = none.
  verb: The verb, such as create; * = all.
  version: The API version; * = all.
ResourceRule: Verbs on resources.
  apiGroups: API groups; * = all.
  resourceNames: Names of objects; left out = all.
  resources: Resources, in the plural; * = all.
  verbs: The verbs; * = all.
SelfSubjectAccessReview: Asks whether the caller may do something.
SelfSubjectAccessReviewSpec: The call; one member is given.
  nonResourceAttributes: A call of a path.
  resourceAttributes: A call on a resource.
SelfSubjectRulesReview: Asks what the caller may do in a namespace.
SelfSubjectRulesReviewSpec: The namespace.
  namespace: The namespace.
SubjectAccessReview: Asks whether somebody may do something.
SubjectAccessReviewSpec: Who, and the call; one of the attributes is given.
  extra: Further facts about the user.
  groups: Groups of the user.
  nonResourceAttributes: A call of a path.
  resourceAttributes: A call on a resource.
  uid: The uid of the user.
  user: The name of the user.
SubjectAccessReviewStatus: The answer.
  allowed: Whether it is allowed.
  denied: Whether it is forbidden whatever others say.
  evaluationError: What went wrong in deciding.
  reason: Why.
SubjectRulesReviewStatus: What is allowed.
  evaluationError: What went wrong in finding out.
  incomplete: Whether there may be more.
  nonResourceRules: Calls of paths.
  resourceRules: Calls on resources.
`;

export const certificates = `
CertificateSigningRequest: Asks a signer for a certificate.
CertificateSigningRequestCondition: Whether a request is approved, denied or failed.
  lastUpdateTime: When it was last written.
CertificateSigningRequestSpec: The request. Cannot be changed.
  expirationSeconds: How long the certificate should hold, at least 600; the signer may shorten it.
  extra: Further facts about who asks. Set by the server.
  groups: Groups of who asks. Set by the server.
  request: The request, in PKCS#10 and PEM.
  signerName: The signer, such as kubernetes.io/kube-apiserver-client.
  uid: The uid of who asks. Set by the server.
  usages: What the certificate is for, such as client auth.
  username: Who asks. Set by the server.
CertificateSigningRequestStatus: The answer.
  certificate: The certificates, in PEM; written by the signer.
`;

export const flowcontrol = `
ExemptPriorityLevelConfiguration: A level without limits.
  lendablePercent: Which share of its seats others may borrow. Left out = 0.
  nominalConcurrencyShares: Its share of the server's seats. Left out = 0.
FlowDistinguisherMethod: What makes two requests the same flow.
  type: ByUser or ByNamespace.
FlowSchema: Says which requests go to which priority level.
FlowSchemaCondition: One aspect of a flow schema's state.
FlowSchemaSpec: Requests and their level.
  distinguisherMethod: What makes two requests the same flow; left out = all are one.
  matchingPrecedence: The lowest number that matches wins, 1 to 10000. Left out = 1000.
  priorityLevelConfiguration: The priority level.
  rules: The requests; one rule that matches is enough.
FlowSchemaStatus: State of a flow schema.
GroupSubject: A group of users.
  name: The group; * = all.
LimitResponse: What happens to requests that do not fit.
  queuing: Settings of queues; for type Queue only.
  type: Queue or Reject.
LimitedPriorityLevelConfiguration: How much may run at once.
  borrowingLimitPercent: How many seats it may borrow, in percent of its own; left out = no limit.
  lendablePercent: Which share of its seats others may borrow. Left out = 0.
  limitResponse: What happens to requests that do not fit.
  nominalConcurrencyShares: Its share of the server's seats. Left out = 30.
NonResourcePolicyRule: Verbs on paths.
  nonResourceURLs: Paths; a * at the end matches the rest.
  verbs: The verbs; * = all.
PolicyRulesWithSubjects: Requests, by who sends them and what they are.
  nonResourceRules: Calls of paths.
  resourceRules: Calls on resources.
  subjects: Who sends them.
PriorityLevelConfiguration: How many requests of a sort the server works on at once.
PriorityLevelConfigurationCondition: One aspect of a priority level's state.
PriorityLevelConfigurationReference: A priority level.
  name: Its name.
PriorityLevelConfigurationSpec: The limits.
  exempt: Settings of an exempt level.
  limited: Settings of a limited level.
  type: Exempt or Limited.
PriorityLevelConfigurationStatus: State of a priority level.
QueuingConfiguration: The queues of a level.
  handSize: How many queues a flow is dealt. Left out = 8.
  queueLengthLimit: How many requests a queue holds. Left out = 50.
  queues: How many queues there are. Left out = 64.
ResourcePolicyRule: Verbs on resources.
  apiGroups: API groups; * = all.
  clusterScope: Whether requests without a namespace match.
  namespaces: Namespaces; * = all.
  resources: Resources, in the plural; * = all.
  verbs: The verbs; * = all.
ServiceAccountSubject: A service account.
  name: Its name; * = all of the namespace.
  namespace: Its namespace.
Subject: Who sends a request; one member is given, as kind says.
  group: A group.
  kind: User, Group or ServiceAccount.
  serviceAccount: A service account.
  user: A user.
UserSubject: A user.
  name: The user; * = all.
`;

export const admissionregistration = `
ApplyConfiguration: A change as a configuration to apply.
  expression: CEL that makes an object with the fields to set.
AuditAnnotation: A note for the audit log.
  key: Its key, completed by the policy's name.
  valueExpression: CEL that makes the note; null = none.
ExpressionWarning: A doubt about an expression.
  fieldRef: Where the expression is, as a path.
  warning: The doubt.
JSONPatch: A change as a JSON patch.
  expression: CEL that makes a list of JSONPatch values.
MatchCondition: A condition for a call or policy.
  expression: CEL that says whether the request is meant.
  name: A name for it.
MatchResources: Requests that are meant.
  excludeResourceRules: Operations that are left out after all.
  matchPolicy [Equivalent|Exact]: Whether other versions of a resource match too. Left out = Equivalent.
  namespaceSelector: Namespaces, by label; left out = all.
  objectSelector: Objects, old or new, by label; left out = all.
  resourceRules: Operations that are meant.
MutatingAdmissionPolicy: Changes requests by CEL.
MutatingAdmissionPolicyBinding: Puts a policy to use, with parameters and on chosen requests.
MutatingAdmissionPolicyBindingSpec: The policy, its parameters and requests.
  matchResources: Requests, besides what the policy says; left out = all.
  paramRef: The parameters.
  policyName: The policy.
MutatingAdmissionPolicySpec: What is changed, and how.
  failurePolicy [Fail|Ignore]: What an error means. Left out = Fail.
  matchConditions: Conditions that must all hold.
  matchConstraints: Requests that are meant.
  mutations: The changes, one after the other.
  paramKind: The kind of the parameters.
  reinvocationPolicy [IfNeeded|Never]: Whether it is called again after others changed the object.
  variables: Named expressions for the others.
MutatingWebhook: A program that changes requests.
  admissionReviewVersions: Versions of AdmissionReview it knows, the best first.
  clientConfig: How it is called.
  failurePolicy [Fail|Ignore]: What an error of the call means. Left out = Fail.
  matchConditions: Conditions that must all hold.
  matchPolicy [Equivalent|Exact]: Whether other versions of a resource match too. Left out = Equivalent.
  name: Its name, with a domain.
  namespaceSelector: Namespaces, by label; left out = all.
  objectSelector: Objects, old or new, by label; left out = all.
  reinvocationPolicy [IfNeeded|Never]: Whether it is called again after others changed the object. Left out = Never.
  rules: Operations that are meant.
  sideEffects [None|NoneOnDryRun|Some|Unknown]: Whether a call does anything besides; v1 allows None and NoneOnDryRun.
  timeoutSeconds: Seconds for a call, 1 to 30. Left out = 10.
MutatingWebhookConfiguration: Programs that change requests before they are stored.
  webhooks: The programs, called in the order of their names.
Mutation: One change; one member is given, as patchType says.
  applyConfiguration: A configuration to apply.
  jsonPatch: A JSON patch.
  patchType: ApplyConfiguration or JSONPatch.
NamedRuleWithOperations < RuleWithOperations: Operations on resources, or on some objects of them.
  resourceNames: Names of objects; left out = all.
ParamKind: A kind of parameters.
  apiVersion: Its API version.
  kind: Its kind.
ParamRef: Parameters of a policy; name or selector is given.
  name: The name of the object.
  namespace: Its namespace; left out = the request's.
  parameterNotFoundAction: What missing parameters mean: Allow or Deny.
  selector: Labels of the objects; the policy is applied with each.
RuleWithOperations: Operations on resources.
  apiGroups: API groups; * = all.
  apiVersions: API versions; * = all.
  operations [*|CONNECT|CREATE|DELETE|UPDATE]: Operations; * = all.
  resources: Resources, in the plural; pods/* for subresources, */* = all.
  scope [*|Cluster|Namespaced]: Whether resources in namespaces or of the cluster are meant. Left out = *.
ServiceReference: A service that is called.
  name: Its name.
  namespace: Its namespace.
  path: The path of the URL.
  port: The port. Left out = 443.
TypeChecking: What checking the expressions found.
  expressionWarnings: Doubts, by expression.
ValidatingAdmissionPolicy: Accepts or rejects requests by CEL.
ValidatingAdmissionPolicyBinding: Puts a policy to use, with parameters and on chosen requests.
ValidatingAdmissionPolicyBindingSpec: The policy, its parameters and requests.
  matchResources: Requests, besides what the policy says; left out = all.
  paramRef: The parameters.
  policyName: The policy.
  validationActions: What a failed validation means: Deny, Warn, Audit.
ValidatingAdmissionPolicySpec: What must hold.
  auditAnnotations: Notes for the audit log.
  failurePolicy [Fail|Ignore]: What an error means. Left out = Fail.
  matchConditions: Conditions that must all hold.
  matchConstraints: Requests that are meant.
  paramKind: The kind of the parameters.
  validations: Expressions that must be true.
  variables: Named expressions for the others.
ValidatingAdmissionPolicyStatus: State of a policy.
  typeChecking: What checking the expressions found.
ValidatingWebhook < MutatingWebhook: A program that accepts or rejects requests.
ValidatingWebhookConfiguration: Programs that accept or reject requests.
  webhooks: The programs, called at the same time.
Validation: An expression that must be true.
  expression: CEL over object, oldObject, request, params, namespaceObject, variables and authorizer.
  message: What is said when it is not.
  messageExpression: CEL that makes the message.
  reason: One word for the error, such as Invalid or Forbidden. Left out = Invalid.
Variable: A named expression.
  expression: CEL; worked out when it is first used.
  name: Its name; others write variables.NAME.
WebhookClientConfig: How a program is called; service or url is given.
  caBundle: Certificates in PEM that vouch for it; left out = the system's.
  service: A service of the cluster.
  url: Its URL, with https.
`;
