import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { rbacV1 } from '../../../api/index.ts';
import { describeRules, missingRules } from './covers.ts';
import { PreparedRules } from './prepared-rules.ts';

type PolicyRule = rbacV1.PolicyRule;

/** `get,list apps/deployments,deployments_scale a,b`, or `get /path` */
function rule(text: string): PolicyRule {
  const [verbs = '', what = '', names] = text.split(' ');
  if (what.startsWith('/') || what === '*')
    return { verbs: verbs.split(','), nonResourceURLs: what.split(',') };
  const [group = '', resources = ''] = what.split('/');
  return {
    verbs: verbs.split(','),
    apiGroups: group.split(',').map((one) => (one === 'core' ? '' : one)),
    resources: resources.replaceAll('_', '/').split(','),
    ...(names !== undefined && { resourceNames: names.split(',') }),
  };
}

describe('what is lacking', () => {
  const cases: [string, string[], string[], string[]][] = [
    ['nothing of the same', ['get core/pods'], ['get core/pods'], []],
    ['nothing of less', ['get,list core,apps/pods,deployments'], ['list apps/deployments'], []],
    ['several rules make one', ['get core/pods', 'list core/pods'], ['get,list core/pods'], []],
    [
      'a verb',
      ['get core/pods'],
      ['get,delete core/pods'],
      ['{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'],
    ],
    [
      'verbs are told together, resources apart',
      [],
      ['get,list core/pods,secrets'],
      [
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
      ],
    ],
    [
      'all names are more than some',
      ['get core/pods a'],
      ['get core/pods'],
      ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'],
    ],
    ['some names are less than all', ['get core/pods'], ['get core/pods a'], []],
    [
      'another name',
      ['get core/pods a'],
      ['get core/pods a,b'],
      ['{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}'],
    ],
    ['a part of any resource', ['get apps/*_scale'], ['get apps/deployments_scale'], []],
    [
      'a part is not within its resource',
      ['get core/pods'],
      ['get core/pods_log'],
      ['{APIGroups:[""], Resources:["pods/log"], Verbs:["get"]}'],
    ],
    ['everything holds all', ['* */*', '* *'], ['* core/pods', 'get /metrics', 'escalate */*'], []],
    [
      'one verb of all is not all',
      ['get,list */*'],
      ['* core/pods'],
      ['{APIGroups:[""], Resources:["pods"], Verbs:["*"]}'],
    ],
    ['paths below', ['get /api/*'], ['get /api/v1,/api/*'], []],
    [
      'paths beside',
      ['get /api/*'],
      ['get /api,/metrics'],
      ['{NonResourceURLs:["/api"], Verbs:["get"]}', '{NonResourceURLs:["/metrics"], Verbs:["get"]}'],
    ],
  ];
  test.each(cases)('%s', (_, held, wanted, lacking) =>
    expect(describeRules(missingRules(held.map(rule), wanted.map(rule)))).toEqual(lacking),
  );
});

const some = (...words: string[]) =>
  fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: 3 });
const anyRule: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record(
    {
      verbs: some('get', 'list', '*'),
      apiGroups: some('', 'apps', '*'),
      resources: some('pods', 'pods/log', '*/log', '*'),
      resourceNames: fc.uniqueArray(fc.constantFrom('a', 'b'), { maxLength: 2 }),
    },
    { requiredKeys: ['verbs', 'apiGroups', 'resources'] },
  ),
  fc.record({ verbs: some('get', '*'), nonResourceURLs: some('/a', '/a/*', '/a/b', '*') }),
);
const anyRules = fc.array(anyRule, { maxLength: 4 });
const asked = ['get', 'list', 'watch'].flatMap((verb) => [
  ...['', 'apps', 'x'].flatMap((group) =>
    ['', 'a', 'c'].flatMap((name) =>
      [
        ['pods', ''],
        ['pods', 'log'],
        ['jobs', 'log'],
        ['jobs', ''],
      ].map(([resource = '', subresource = '']) => ({
        verb,
        group,
        name,
        resource,
        subresource,
        path: '',
      })),
    ),
  ),
  ...['/a', '/a/', '/a/b', '/b'].map((path) => ({
    verb,
    group: '',
    name: '',
    resource: '',
    subresource: '',
    path,
  })),
]);
const rest = { version: '', namespace: '', user: { name: '', uid: '', groups: [] } };

test('whoever lacks nothing may already do whatever the wanted rules allow; what is lacking together with what is held is enough', () => {
  fc.assert(
    fc.property(anyRules, anyRules, (held, wanted) => {
      const missing = missingRules(held, wanted);
      const may = new PreparedRules([...held, ...missing]);
      const would = new PreparedRules(wanted);
      for (const question of asked)
        if (would.allows({ ...question, ...rest }) && !may.allows({ ...question, ...rest }))
          throw new Error(`not within: ${JSON.stringify(question)}`);
      return missingRules([...held, ...missing], wanted).length === 0;
    }),
    { numRuns: 500 },
  );
});
