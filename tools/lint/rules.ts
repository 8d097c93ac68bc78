// What a source file may not do, found in its syntax tree: read the clock, roll dice, start timers, look at the environment,
// print, or grow too long. Pure: text in, findings out. Who imports whom is judged elsewhere (imports.ts).
import ts from 'typescript';

export type Rule = 'clock' | 'randomness' | 'timer' | 'environment' | 'console' | 'length';

export interface Finding {
  readonly path: string;
  /** from 1 */
  readonly line: number;
  readonly rule: Rule;
  readonly severity: 'error' | 'warning';
  readonly what: string;
}

const advice: Readonly<Record<Exclude<Rule, 'length'>, string>> = {
  clock: 'take a Clock from base as an argument',
  randomness: 'take a Random from base as an argument',
  timer: 'take a Clock from base as an argument and use its after()',
  environment: 'take the value as an argument; only app and cli read the environment',
  console: 'take a Log from base as an argument; only app and cli print',
};

const members: Readonly<Record<string, Exclude<Rule, 'length'>>> = {
  'Date.now': 'clock',
  'performance.now': 'clock',
  'process.hrtime': 'clock',
  'Math.random': 'randomness',
  'process.env': 'environment',
};
const timerModule = /^(node:)?timers(\/promises)?$/;
const timers = new Set(['setTimeout', 'setInterval']);

/** Folders of src whose job is the outside world, and those that only tests use. */
const free = new Set(['app', 'cli', 'testkit']);
/** The folder that wraps clock, randomness and sinks for all others; it has no licence to print or to read the environment. */
const wrapper = 'base';

export const lengthWarns = 400;
export const lengthFails = 800;

/** Tests, the contract suites they share, and what is there for them alone. `path` is relative to the root, with slashes. */
export function isTest(path: string): boolean {
  return /(\.test|[/-]contract)\.ts$|\/testdata\/|^test\//.test(path);
}

function ruleApplies(path: string, rule: Rule): boolean {
  const [top, folder] = path.split('/');
  if (top !== 'src' || isTest(path) || free.has(folder ?? '')) return false;
  return folder !== wrapper || rule === 'environment' || rule === 'console';
}

export function checkSource(path: string, text: string): Finding[] {
  if (path.includes('/generated/')) return [];
  const findings: Finding[] = [];
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines > lengthWarns)
    findings.push({
      path,
      line: 1,
      rule: 'length',
      severity: lines > lengthFails ? 'error' : 'warning',
      what: `${lines} lines; from ${lengthWarns} on a file should be split, beyond ${lengthFails} it must be`,
    });

  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS);
  const report = (node: ts.Node, rule: Exclude<Rule, 'length'>, name: string) => {
    if (!ruleApplies(path, rule)) return;
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
    findings.push({ path, line, rule, severity: 'error', what: `${name}: ${advice[rule]}` });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      const object = node.expression.text;
      const name = `${object}.${node.name.text}`;
      const rule = object === 'console' ? 'console' : members[name];
      if (rule !== undefined) report(node, rule, name);
    } else if (ts.isNewExpression(node) && isName(node.expression, 'Date') && !node.arguments?.length)
      report(node, 'clock', 'new Date()');
    else if (
      ts.isCallExpression(node) &&
      ts.isIdentifier(node.expression) &&
      timers.has(node.expression.text)
    )
      report(node, 'timer', node.expression.text);
    else if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const { text: module } = node.moduleSpecifier;
      if (timerModule.test(module)) report(node, 'timer', module);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
}

const isName = (node: ts.Node, name: string): boolean => ts.isIdentifier(node) && node.text === name;
