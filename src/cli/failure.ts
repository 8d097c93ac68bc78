// A command that cannot do what was asked, for a reason that a person can act on: printed without a stack.

export class CommandFailure extends Error {
  readonly exitCode: number;
  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CommandFailure';
    this.exitCode = options.exitCode ?? 1;
  }
}
