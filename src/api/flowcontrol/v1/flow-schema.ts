// FlowSchema: which requests belong together, and to which level of priority.
import { checkDns1123Label, checkDns1123Subdomain, defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type {
  FlowSchema as FlowSchemaObject,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../../generated/flowcontrol-v1.ts';
import { shape } from '../../shape.ts';
import { validateFlowConditions } from './flow-conditions.ts';

export type FlowSchema = FlowSchemaObject;

const maxPrecedence = 10000;
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

export const FlowSchema = defineKind<FlowSchemaObject>({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'FlowSchema',
  plural: 'flowschemas',
  scope: 'Cluster',
  schema: shape('flowcontrol.v1.FlowSchema'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('PriorityLevel', 'The level.', ({ spec }) => spec?.priorityLevelConfiguration?.name ?? ''),
    textColumn('MatchingPrecedence', 'Lower goes first.', ({ spec }) => spec?.matchingPrecedence ?? 0),
    textColumn(
      'DistinguisherMethod',
      'What tells its flows apart.',
      ({ spec }) => spec?.distinguisherMethod?.type ?? '<none>',
    ),
    ageColumn,
    textColumn('MissingPL', 'Whether its level does not exist.', ({ status }) => {
      const dangling = status?.conditions?.find((condition) => condition.type === 'Dangling');
      return dangling?.status ?? '?';
    }),
  ],

  defaults({ spec }) {
    spec.matchingPrecedence ||= 1000;
  },

  validate({ metadata, spec }, _old, causes) {
    const field = new FieldAt('spec', causes);
    const { matchingPrecedence = 0, distinguisherMethod } = spec;
    const precedence = field.child('matchingPrecedence');
    if (matchingPrecedence <= 0) precedence.invalid(matchingPrecedence, 'must be a positive value');
    if (matchingPrecedence > maxPrecedence)
      precedence.invalid(matchingPrecedence, `must not be greater than ${maxPrecedence}`);
    if (matchingPrecedence === 1 && metadata.name !== 'exempt')
      precedence.invalid(matchingPrecedence, "only the schema named 'exempt' may have matchingPrecedence 1");
    field.child('distinguisherMethod', 'type').oneOf(distinguisherMethod?.type, ['ByNamespace', 'ByUser']);
    const level = spec.priorityLevelConfiguration?.name ?? '';
    const levelAt = field.child('priorityLevelConfiguration', 'name');
    if (level === '') levelAt.required('must reference a priority level');
    else levelAt.refuse(level, checkDns1123Subdomain(level));
    for (const [i, rule] of (spec.rules ?? []).entries()) validateRule(rule, field.child('rules').index(i));
  },

  validateStatus({ status }, _old, causes) {
    validateFlowConditions(status?.conditions ?? [], new FieldAt('status', causes).child('conditions'));
  },
});

function validateRule(rule: PolicyRulesWithSubjects, field: FieldAt): void {
  const subjects = rule.subjects ?? [];
  const { resourceRules = [], nonResourceRules = [] } = rule;
  if (subjects.length === 0) field.child('subjects').required('subjects must contain at least one value');
  for (const [i, subject] of subjects.entries()) validateSubject(subject, field.child('subjects').index(i));
  if (resourceRules.length + nonResourceRules.length === 0)
    field.required('at least one of resourceRules and nonResourceRules has to be non-empty');
  for (const [i, item] of resourceRules.entries())
    validateResourceRule(item, field.child('resourceRules').index(i));
  for (const [i, item] of nonResourceRules.entries())
    validateUrlRule(item, field.child('nonResourceRules').index(i));
}

const subjectFields = { Group: 'group', ServiceAccount: 'serviceAccount', User: 'user' } as const;

function validateSubject(subject: Subject, field: FieldAt): void {
  const wanted = Object.hasOwn(subjectFields, subject.kind)
    ? subjectFields[subject.kind as keyof typeof subjectFields]
    : undefined;
  if (wanted === undefined) {
    field.child('kind').notSupported(subject.kind, Object.keys(subjectFields));
    return;
  }
  const here = field.child(wanted);
  const given = subject[wanted];
  if (given === undefined) here.required(`${wanted} is required when subject kind is '${subject.kind}'`);
  else if (wanted === 'serviceAccount') {
    const { name = '', namespace = '' } = subject.serviceAccount!;
    if (name === '') here.child('name').required();
    else if (name !== '*') here.child('name').refuse(name, checkDns1123Subdomain(name));
    if (namespace === '') here.child('namespace').required('must specify namespace for service account');
    else here.child('namespace').refuse(namespace, checkDns1123Label(namespace));
  } else here.child('name').requiredText(given.name);
  for (const [kind, name] of Object.entries(subjectFields))
    if (name !== wanted && subject[name] !== undefined)
      field.child(name).forbidden(`${name} is forbidden when subject kind is not '${kind}'`);
}

/** Nothing, too much beside the star, or (undefined = no such list) not among what is known. */
function validateStarList(
  list: readonly string[],
  rule: { empty: string; others: string; known?: readonly string[] },
  field: FieldAt,
): void {
  if (list.length === 0) field.required(rule.empty);
  else if (list.includes('*')) {
    if (list.length > 1) field.invalid(list, `if '*' is present, must not specify other ${rule.others}`);
  } else if (rule.known !== undefined && !list.every((item) => rule.known!.includes(item)))
    field.notSupported(list, rule.known);
}

const verbRule = { empty: 'verbs must contain at least one value', others: 'verbs', known: verbs };

function validateResourceRule(rule: ResourcePolicyRule, field: FieldAt): void {
  validateStarList(rule.verbs ?? [], verbRule, field.child('verbs'));
  validateStarList(
    rule.apiGroups ?? [],
    { empty: 'resource rules must supply at least one api group', others: 'api groups' },
    field.child('apiGroups'),
  );
  validateStarList(
    rule.resources ?? [],
    { empty: 'resource rules must supply at least one resource', others: 'resources' },
    field.child('resources'),
  );
  const namespaces = rule.namespaces ?? [];
  const here = field.child('namespaces');
  if (namespaces.length === 0) {
    if (rule.clusterScope !== true)
      here.required('resource rules that are not cluster scoped must supply at least one namespace');
  } else if (namespaces.includes('*')) {
    if (namespaces.length > 1)
      here.invalid(namespaces, "if '*' is present, must not specify other namespaces");
  } else
    for (const [i, namespace] of namespaces.entries())
      for (const message of checkDns1123Label(namespace))
        here
          .index(i)
          .invalid(namespace, `each member of this list must be '*' or a DNS-1123 label; ${message}`);
}

function validateUrlRule(rule: NonResourcePolicyRule, field: FieldAt): void {
  validateStarList(rule.verbs ?? [], verbRule, field.child('verbs'));
  const urls = rule.nonResourceURLs ?? [];
  const here = field.child('nonResourceURLs');
  validateStarList(
    urls,
    { empty: 'nonResourceURLs must contain at least one value', others: 'non-resource URLs' },
    here,
  );
  if (urls.includes('*')) return;
  for (const [i, url] of urls.entries()) here.index(i).refuse(url, checkUrlPath(url));
}

function checkUrlPath(path: string): readonly string[] {
  if (path === '') return ['must not be empty'];
  if (path === '/') return [];
  if (!path.startsWith('/')) return ['must start with slash'];
  if (path.includes(' ')) return ['must not contain white-space'];
  if (path.includes('//')) return ['must not contain double slash'];
  const stars = path.split('*').length - 1;
  return stars > 1 || (stars === 1 && !path.endsWith('/*')) ? ['wildcard can only do suffix matching'] : [];
}
