// Options of API calls that are objects of their own on the wire.

export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** `meta.v1.DeleteOptions`, without the fields that travel as query parameters too. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined;
  /** The old form of propagationPolicy. */
  readonly orphanDependents?: boolean | undefined;
  readonly preconditions?: Preconditions | undefined;
}
