// The one error that crosses the API: a `Status` object. Reasons, codes and wording are those of Kubernetes
// (apimachinery's api/errors), because kubectl and controllers act on them.

export type StatusReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Expired'
  | 'Invalid'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'UnsupportedMediaType'
  | 'RequestEntityTooLarge'
  | 'TooManyRequests'
  | 'Timeout'
  | 'ServerTimeout'
  | 'ServiceUnavailable'
  | 'InternalError'
  | 'Unknown';

export type CauseType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError'
  | 'ResourceVersionTooLarge'
  | 'DisruptionBudget'
  | 'NamespaceTerminating'
  | 'FieldManagerConflict'
  | 'UnexpectedServerResponse';

export interface StatusCause {
  reason?: CauseType | undefined;
  message: string;
  field?: string | undefined;
}

export interface StatusDetails {
  name?: string | undefined;
  group?: string | undefined;
  kind?: string | undefined;
  uid?: string | undefined;
  causes?: StatusCause[] | undefined;
  retryAfterSeconds?: number | undefined;
}

/** `meta.v1.Status` as it goes over the wire. */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, never>;
  status: 'Success' | 'Failure';
  message?: string | undefined;
  reason?: StatusReason | undefined;
  details?: StatusDetails | undefined;
  code?: number | undefined;
}

/** What a message calls a resource: `deployments.apps`, or `pods` in the core group. */
export interface ResourceRef {
  readonly group: string;
  /** plural, e.g. `deployments`; the kind itself for `invalid` */
  readonly resource: string;
}

const qualified = (ref: ResourceRef): string =>
  ref.group === '' ? ref.resource : `${ref.resource}.${ref.group}`;

export class StatusError extends Error {
  readonly code: number;
  readonly reason: StatusReason;
  readonly details: StatusDetails | undefined;

  constructor(code: number, reason: StatusReason, message: string, details?: StatusDetails, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StatusError';
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): Status {
    const status: Status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      code: this.code,
    };
    // As in Kubernetes, a reason that is not known is not said.
    if (this.reason !== 'Unknown') status.reason = this.reason;
    if (this.details !== undefined) status.details = this.details;
    return status;
  }

  /** The error a Status body from a server stands for. */
  static fromStatus(status: Partial<Status>, httpCode: number): StatusError {
    return new StatusError(
      status.code ?? httpCode,
      status.reason ?? 'Unknown',
      status.message ?? `the server answered ${httpCode}`,
      status.details,
    );
  }
}

export const isStatus = (error: unknown, reason: StatusReason): boolean =>
  error instanceof StatusError && error.reason === reason;
export const isNotFound = (error: unknown): boolean => isStatus(error, 'NotFound');
export const isConflict = (error: unknown): boolean => isStatus(error, 'Conflict');
export const isAlreadyExists = (error: unknown): boolean => isStatus(error, 'AlreadyExists');
export const isExpired = (error: unknown): boolean => isStatus(error, 'Expired') || isStatus(error, 'Gone');

const refDetails = (ref: ResourceRef, name: string): StatusDetails => ({
  ...(name === '' ? {} : { name }),
  ...(ref.group !== '' && { group: ref.group }),
  ...(ref.resource !== '' && { kind: ref.resource }),
});

export const notFound = (ref: ResourceRef, name: string): StatusError =>
  new StatusError(404, 'NotFound', `${qualified(ref)} "${name}" not found`, refDetails(ref, name));

export const alreadyExists = (ref: ResourceRef, name: string): StatusError =>
  new StatusError(409, 'AlreadyExists', `${qualified(ref)} "${name}" already exists`, refDetails(ref, name));

export const conflict = (ref: ResourceRef, name: string, why: string): StatusError =>
  new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(ref)} "${name}": ${why}`,
    refDetails(ref, name),
  );

/** The conflict of optimistic locking, worded as every Kubernetes user knows it. */
export const staleObject = (ref: ResourceRef, name: string): StatusError =>
  conflict(
    ref,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );

export const badRequest = (message: string): StatusError => new StatusError(400, 'BadRequest', message);

export const forbidden = (ref: ResourceRef, name: string, why: string): StatusError =>
  new StatusError(
    403,
    'Forbidden',
    name === ''
      ? `${qualified(ref)} is forbidden: ${why}`
      : `${qualified(ref)} "${name}" is forbidden: ${why}`,
    refDetails(ref, name),
  );

export const unauthorized = (): StatusError => new StatusError(401, 'Unauthorized', 'Unauthorized');

export const methodNotSupported = (ref: ResourceRef, action: string): StatusError =>
  new StatusError(
    405,
    'MethodNotAllowed',
    `${action} is not supported on resources of kind "${qualified(ref)}"`,
    {
      ...(ref.group !== '' && { group: ref.group }),
      kind: ref.resource,
    },
  );

export const expired = (message: string): StatusError => new StatusError(410, 'Expired', message);

export const tooLargeResourceVersion = (wanted: number, current: number): StatusError =>
  new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });

export const tooManyRequests = (message: string, retryAfterSeconds: number): StatusError =>
  new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds });

export const unsupportedMediaType = (message: string): StatusError =>
  new StatusError(415, 'UnsupportedMediaType', message);
export const notAcceptable = (message: string): StatusError => new StatusError(406, 'NotAcceptable', message);
export const entityTooLarge = (message: string): StatusError =>
  new StatusError(413, 'RequestEntityTooLarge', message);
export const serviceUnavailable = (message: string): StatusError =>
  new StatusError(503, 'ServiceUnavailable', message);
export const internalError = (cause: unknown): StatusError =>
  new StatusError(
    500,
    'InternalError',
    `Internal error occurred: ${cause instanceof Error ? cause.message : String(cause)}`,
    { causes: [{ message: cause instanceof Error ? cause.message : String(cause) }] },
    cause,
  );

/** 422 with every cause. Message as Kubernetes writes it: one cause inline, several in brackets. */
export function invalid(
  group: string,
  kind: string,
  name: string,
  causes: readonly StatusCause[],
): StatusError {
  const texts = [...new Set(causes.map((c) => (c.field ? `${c.field}: ${c.message}` : c.message)))];
  const joined = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const ref = { group, resource: kind };
  return new StatusError(422, 'Invalid', `${qualified(ref)} "${name}" is invalid: ${joined}`, {
    ...refDetails(ref, name),
    causes: [...causes],
  });
}
