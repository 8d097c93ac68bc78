// `--config FILE`: a YAML file whose keys are the long flags of the command, without their dashes. The choice: there is no second
// list. The command's own options say which keys there are, and the parser behind a flag says what the key takes and checks it.
import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { loadYaml } from '../machinery/index.ts';
import { CommandFailure } from './failure.ts';
import { takesOf } from './flags.ts';

const flag = 'config';
/** Flags that are about the command line itself. */
const noKeys = new Set([flag, 'help']);
const mistake = 2;
/** What they hold is never shown, not even when it is wrong. */
const secretKeys = new Set(['token']);

/** Gives a command `--config`. Call it when all its options are there. A flag on the command line wins over the file. */
export function withConfigFile(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--config <file>',
        'YAML with the flags that are not given here: their names without dashes, lists where commas are allowed',
      ),
    )
    .hook('preAction', async (_, called) => {
      const file = called.getOptionValue(flag) as string | undefined;
      if (file === undefined) return;
      for (const { option, value } of readConfig(file, await parseFile(file), called.options)) {
        if (given(called, option)) continue;
        called.setOptionValueWithSource(option.attributeName(), value, 'config');
      }
    });
}

/** The flag itself, or one that excludes it, is on the command line. */
function given(command: Command, option: Option): boolean {
  const onLine = (name: string) => command.getOptionValueSource(name) === 'cli';
  return onLine(option.attributeName()) || excludedBy(option, command.options).some(onLine);
}

/** commander keeps the names that an option excludes, and only at one of the two. */
function excludedBy(option: Option, options: readonly Option[]): string[] {
  const conflicts = (of: Option) => (of as Option & { conflictsWith: readonly string[] }).conflictsWith;
  const name = option.attributeName();
  const others = options.filter((other) => conflicts(other).includes(name));
  return [...conflicts(option), ...others.map((other) => other.attributeName())];
}

async function parseFile(file: string): Promise<unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file' : message;
    throw new CommandFailure(`cannot read the config file ${file}: ${why}`, { cause: error });
  }
  const parsed = (await loadYaml()).parseYaml(text);
  if (!parsed.ok) throw wrong(file, `it is not YAML: ${parsed.error}`);
  return parsed.value;
}

const wrong = (file: string, what: string): CommandFailure =>
  new CommandFailure(`config file ${file}: ${what}`, { exitCode: mistake });

export interface ConfigValue {
  readonly option: Option;
  /** As the flag's parser gives it. */
  readonly value: unknown;
}

/** What a parsed file says, checked against the options of a command. Pure. Throws a CommandFailure that names file and key. */
export function readConfig(file: string, content: unknown, options: readonly Option[]): ConfigValue[] {
  if (content === null || content === undefined) return [];
  if (typeof content !== 'object' || Array.isArray(content))
    throw wrong(file, 'it must hold keys and their values');
  const byKey = new Map(options.map((option) => [keyOf(option), option]));
  for (const key of noKeys) byKey.delete(key);
  const out = Object.entries(content).map(([key, raw]): ConfigValue => {
    const option = byKey.get(key);
    if (option === undefined) throw wrong(file, `unknown key ${JSON.stringify(key)}${likely(key, byKey)}`);
    return { option, value: convert(file, { key, raw, option }) };
  });
  for (const { option } of out) {
    const excluded = excludedBy(option, options);
    const other = out.find((one) => excluded.includes(one.option.attributeName()));
    if (other !== undefined)
      throw wrong(file, `${keyOf(option)} and ${keyOf(other.option)} cannot be used together`);
  }
  return out;
}

/** `--no-x` is the key `x`, which may then be false. */
const keyOf = (option: Option): string => (option.long ?? option.short ?? '').replace(/^--?(no-)?/, '');

/** People write keys as the flag, or as other programs' configuration has them. */
function likely(key: string, byKey: ReadonlyMap<string, Option>): string {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const found = [...byKey.keys()].find((known) => plain(known) === plain(key));
  return found === undefined ? ', see --help for the flags' : ` (did you mean ${JSON.stringify(found)}?)`;
}

function convert(file: string, { key, raw, option }: { key: string; raw: unknown; option: Option }): unknown {
  const parse = option.parseArg as ((text: string, before?: unknown) => unknown) | undefined;
  const but = secretKeys.has(key) ? '' : `, not ${JSON.stringify(raw)}`;
  const must = (what: string) => wrong(file, `${key} must be ${what}${but}`);
  const check = (text: string): unknown => {
    try {
      // A later argument would be an earlier value of the flag, which there is none of.
      return parse === undefined ? text : parse(text, undefined);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      throw wrong(file, `${key}: ${JSON.stringify(raw)} is invalid. ${error.message}`);
    }
  };
  if (!option.required && !option.optional) {
    if (typeof raw !== 'boolean') throw must('true or false');
    return raw;
  }
  switch (takesOf(parse)) {
    case 'number':
      if (typeof raw !== 'number') throw must('a number');
      return check(String(raw));
    case 'truth':
      if (typeof raw !== 'boolean') throw must('true or false');
      return check(String(raw));
    case 'duration':
      if (typeof raw !== 'string' && raw !== 0) throw must('a duration such as 2.5s');
      return check(String(raw));
    case 'list': {
      if (typeof raw === 'string') return check(raw);
      if (!Array.isArray(raw) || !raw.every((item) => typeof item === 'string'))
        throw must('a list of texts');
      return raw.length === 0 ? [] : check(raw.join(','));
    }
    case 'text':
      if (typeof raw !== 'string') throw must('a text');
      return check(raw);
  }
}
