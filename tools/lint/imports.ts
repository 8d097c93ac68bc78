// Who may import whom, from tools/layers.ts, as rules of dependency-cruiser.
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { layers } from '../layers.ts';

export interface ImportReport {
  /** How many files of ours were looked at. */
  readonly modules: number;
  readonly violations: readonly string[];
}

/** Tests, the contract suites that tests run on several implementations, and what is there for them alone. */
const test = '(\\.test|[/-]contract)\\.ts$|/testdata/|^test/';
/** Everything of `from` that is not itself, not allowed to it, and inside src. */
function rulesOf(folder: string, allowed: readonly string[]): IForbiddenRuleType[] {
  if (allowed.includes('*')) return [];
  const own = [folder, ...allowed];
  const reach = (folders: readonly string[]) => `^src/(${folders.join('|')})/`;
  return [
    {
      name: `${folder} imports only ${own.join(', ')}`,
      severity: 'error',
      from: { path: `^src/${folder}/`, pathNot: test },
      to: { path: '^src/', pathNot: reach(own) },
    },
    {
      name: `tests of ${folder} import only ${[...own, 'testkit'].join(', ')}`,
      severity: 'error',
      from: { path: [`^src/${folder}/.*(${test})`] },
      to: { path: '^src/', pathNot: reach([...own, 'testkit']) },
    },
  ];
}

const everywhere: IForbiddenRuleType[] = [
  {
    name: 'no cycles',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'another folder of src is entered by its index.ts',
    severity: 'error',
    from: { path: '^src/([^/]+)/' },
    to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
  },
  {
    name: 'a folder of src is entered by its index.ts',
    severity: 'error',
    from: { pathNot: '^src/' },
    to: { path: '^src/[^/]+/', pathNot: '^src/[^/]+/index\\.ts$' },
  },
  {
    name: 'only tests and app use testkit',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/(testkit|app)/', test] },
    to: { path: '^src/testkit/' },
  },
  {
    name: 'the program does not use what is installed for development only',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/testkit/', test] },
    to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
  },
  {
    name: 'what is imported exists and is in package.json',
    severity: 'error',
    from: {},
    to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
  },
  {
    name: 'only tests import tests',
    severity: 'error',
    from: { path: '^src/', pathNot: test },
    to: { path: test },
  },
  {
    name: 'src imports nothing of tests and tools',
    severity: 'error',
    from: { path: '^src/' },
    to: { path: '^(test|tools|bench)/' },
  },
];

/** Judges `roots`, folders below `baseDir`. */
export async function checkImports(baseDir: string, roots: readonly string[]): Promise<ImportReport> {
  const forbidden = [
    ...everywhere,
    ...Object.entries(layers).flatMap(([folder, allowed]) => rulesOf(folder, allowed)),
  ];
  const result = await cruise(
    [...roots],
    {
      baseDir,
      validate: true,
      ruleSet: { forbidden },
      tsPreCompilationDeps: true,
      tsConfig: { fileName: `${baseDir}/tsconfig.json` },
      doNotFollow: { path: 'node_modules' },
      exclude: { path: '^(dist|node_modules/\\.)' },
    },
    {
      extensions: ['.ts', '.mjs', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
    { tsConfig: extractTsConfig(`${baseDir}/tsconfig.json`) },
  );
  const { modules, summary } = result.output as ICruiseResult;
  return {
    modules: modules.filter((m) => !m.source.includes('node_modules') && m.coreModule !== true).length,
    violations: summary.violations.map((v) => {
      const path = v.cycle === undefined ? v.to : v.cycle.map((c) => c.name).join(' → ');
      return `${v.from} → ${path}: ${v.rule.name}`;
    }),
  };
}
