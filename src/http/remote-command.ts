// A command (or an attached process) at the other end of a connection, as both ends see it and whatever the transport:
// its standard streams, the size of its terminal, and the Status object that says how it ended.
import type { Readable, Writable } from 'node:stream';

/** Which streams are wanted. With a terminal, stderr is never: the terminal has one output. */
export interface RemoteStreamOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** A Status object of the API, as the protocols v4 and v5 carry it. */
export interface RemoteStatus {
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string | undefined;
  readonly reason?: string | undefined;
  readonly details?:
    | { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] | undefined }
    | undefined;
  readonly code?: number | undefined;
}

/**
 * The end of whoever asked for the command. stdin ends when they close it; every stream also ends when they are gone. Whoever
 * runs the command writes its output, then calls `finish`.
 */
export interface RemoteStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** The sizes as they come. One that came before anybody listened is told at once. */
  onResize(listener: (size: TerminalSize) => void): void;
  /**
   * Ends stdout and stderr, sends the status and closes the connection, in this order. Resolves when the connection is gone,
   * after a few seconds even if the other side does not close it. Never rejects.
   */
  finish(status: RemoteStatus): Promise<void>;
  /** Resolves when the connection is gone, after `finish` or before. */
  readonly closed: Promise<void>;
  destroy(): void;
}

/** The end of whoever runs the command. */
export interface RemoteProcess {
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  resize(size: TerminalSize): void;
  /** How it ended; undefined = the connection was lost before that was known. Never rejects. */
  readonly status: Promise<RemoteStatus | undefined>;
  /** Cuts the connection. The process sees the end of its input and may go on. */
  destroy(): void;
}

export const successStatus: RemoteStatus = { metadata: {}, status: 'Success' };

/** The command ended by itself, unsuccessfully. Clients end with its exit code. */
export const exitStatus = (exitCode: number): RemoteStatus =>
  exitCode === 0
    ? successStatus
    : {
        metadata: {},
        status: 'Failure',
        message: `command terminated with non-zero exit code: exit status ${exitCode}`,
        reason: 'NonZeroExitCode',
        details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
      };

/** The command could not be run, or how it ended cannot be known. */
export const failureStatus = (why: string): RemoteStatus => ({
  metadata: {},
  status: 'Failure',
  message: `Internal error occurred: ${why}`,
  reason: 'InternalError',
  details: { causes: [{ message: why }] },
  code: 500,
});

/** What a runtime sent on its error stream. Nothing, or not a Status, is told as a failure. */
export function parseStatus(text: string): RemoteStatus {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return failureStatus(`the runtime sent ${JSON.stringify(text)} as the status of the command`);
  }
  const status = (parsed as RemoteStatus | null)?.status;
  if (status === 'Success' || status === 'Failure') return { ...(parsed as RemoteStatus), metadata: {} };
  return failureStatus(`the runtime sent ${JSON.stringify(text)} as the status of the command`);
}

const isSide = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= 0xffff;

/**
 * Reads `{"Width":80,"Height":24}` from a stream, one object after the other with or without space between. What is no size is
 * skipped: a wrong size is no reason to end a session.
 */
export class TerminalSizeReader {
  #text = '';
  #listener: ((size: TerminalSize) => void) | undefined;
  #last: TerminalSize | undefined;

  push(chunk: Buffer): void {
    this.#text += chunk.toString('latin1');
    for (let end = this.#text.indexOf('}'); end >= 0; end = this.#text.indexOf('}')) {
      this.#take(this.#text.slice(0, end + 1));
      this.#text = this.#text.slice(end + 1);
    }
    if (this.#text.length > 1024) this.#text = '';
  }

  onSize(listener: (size: TerminalSize) => void): void {
    this.#listener = listener;
    if (this.#last !== undefined) listener(this.#last);
  }

  #take(text: string): void {
    let parsed: { Width?: unknown; Height?: unknown } | null;
    try {
      parsed = JSON.parse(text) as typeof parsed;
    } catch {
      return;
    }
    const { Width: width, Height: height } = parsed ?? {};
    if (!isSide(width) || !isSide(height)) return;
    this.#last = { width, height };
    this.#listener?.(this.#last);
  }
}

export const encodeTerminalSize = ({ width, height }: TerminalSize): Buffer =>
  Buffer.from(`${JSON.stringify({ Width: width, Height: height })}\n`);
