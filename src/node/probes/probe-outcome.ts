// What one try of a probe came to, however it was made.

export interface ProbeOutcome {
  readonly ok: boolean;
  /** Of a failure, or a warning about a success; for events. Empty = nothing to tell. */
  readonly message: string;
  /** The try could not be made: it says nothing about the container. */
  readonly errored?: boolean;
}
