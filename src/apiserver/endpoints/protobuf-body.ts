// Bodies in Kubernetes' protobuf: from the envelope to the JSON form that the registry reads.
import { protobufMessageFor } from '../../api/index.ts';
import { badRequest, decodeMessage, ProtobufError, readEnvelope } from '../../machinery/index.ts';

/** What a body is when its envelope does not say. */
export interface Expected {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The object in a body, with its apiVersion and kind. Throws 400, worded as Kubernetes words it. */
export function readProtobuf(bytes: Buffer, expected: Expected): Record<string, unknown> {
  let { apiVersion, kind } = expected;
  let known = false;
  try {
    const envelope = readEnvelope(bytes);
    known = envelope.kind !== '';
    if (known) ({ apiVersion, kind } = envelope);
    const message = protobufMessageFor(apiVersion, kind);
    if (message === undefined)
      throw new ProtobufError(`no kind "${kind}" is registered for version "${apiVersion}"`);
    return { kind, apiVersion, ...decodeMessage(message, envelope.raw) };
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    throw badRequest(
      known
        ? `${kind} in version "${apiVersion.slice(apiVersion.indexOf('/') + 1)}" cannot be handled as a ${expected.kind}: ${error.message}`
        : `the object provided is unrecognized (must be of type ${expected.kind}): ${error.message} (${summary(bytes)})`,
    );
  }
}

/** The beginning of the bytes, as Kubernetes shows bodies that it cannot read. */
function summary(bytes: Buffer): string {
  const start = `0x${bytes.subarray(0, 30).toString('hex')}`;
  return bytes.length > 30 ? `${start} ...` : start;
}
