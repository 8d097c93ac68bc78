// Structured logs: one line an entry, `time level message key=value …`, to one sink chosen by `app`.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every entry. */
  with(fields: LogFields): Log;
}

const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

function show(value: unknown): string {
  if (value instanceof Error) {
    const cause =
      value.cause === undefined
        ? ''
        : `: ${value.cause instanceof Error ? value.cause.message : String(value.cause)}`;
    return JSON.stringify(value.message + cause);
  }
  if (typeof value === 'string') return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? 'undefined';
}

export function createLog(
  options: { level: LogLevel; write: (line: string) => void; nowMs: () => number },
  fields: LogFields = {},
): Log {
  const least = order[options.level];
  const emit = (level: LogLevel, message: string, more?: LogFields) => {
    if (order[level] < least) return;
    let line = `${new Date(options.nowMs()).toISOString()} ${level.toUpperCase().padEnd(5)} ${message}`;
    for (const [key, value] of Object.entries(fields)) line += ` ${key}=${show(value)}`;
    if (more) for (const [key, value] of Object.entries(more)) line += ` ${key}=${show(value)}`;
    options.write(line + '\n');
  };
  return {
    debug: (m, f) => emit('debug', m, f),
    info: (m, f) => emit('info', m, f),
    warn: (m, f) => emit('warn', m, f),
    error: (m, f) => emit('error', m, f),
    with: (more) => createLog(options, { ...fields, ...more }),
  };
}

/** Discards everything; for tests that do not look at logs. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLog,
};
