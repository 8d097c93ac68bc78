// The fake of Exec: answers from a table and remembers what was asked.
import {
  CommandError,
  type CommandOutput,
  commandLine,
  type DetachedOptions,
  type Exec,
  type RunOptions,
} from './exec.ts';

export interface FakeAnswer {
  readonly code?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export class FakeExec implements Exec {
  /** What was run, each as one line; with input, a second line `< input`. */
  readonly ran: string[] = [];
  readonly #answers: { when: RegExp; answer: FakeAnswer | ((line: string) => FakeAnswer) }[] = [];
  #pid = 1000;

  /** Commands whose line matches get this answer; of several the last given. Others end with 0 and say nothing. */
  answer(when: RegExp, answer: FakeAnswer | ((line: string) => FakeAnswer)): this {
    this.#answers.unshift({ when, answer });
    return this;
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<CommandOutput> {
    const line = commandLine(argv);
    this.ran.push(options.input === undefined ? line : `${line}\n< ${options.input.toString()}`);
    const found = this.#answers.find(({ when }) => when.test(line))?.answer ?? {};
    const { code = 0, stdout = '', stderr = '' } = typeof found === 'function' ? found(line) : found;
    if (code !== 0 && options.mayFail !== true)
      throw new CommandError('failed', argv, { exitCode: code, stderr, what: `exit code ${code}` });
    return { code, stdout, stderr };
  }

  async spawnDetached(argv: readonly string[], options: DetachedOptions) {
    this.ran.push(`${commandLine(argv)} >> ${options.logFile} &`);
    return { pid: this.#pid++, ended: new Promise<never>(() => {}) };
  }
}
