// ConversionReview: what a conversion webhook is asked, and what its answer means. Pure. Worded as kube-apiserver words it. A webhook
// may change everything of an object but who it is: of its metadata only labels and annotations.
import { Causes, type KubeObject, validateAnnotations, validateLabels } from '../../machinery/index.ts';

type Json = Record<string, unknown>;

const group = 'apiextensions.k8s.io';

/** `group/version, Kind=kind`, as Go prints it. */
export const typeOf = ({ apiVersion, kind }: KubeObject): string => `${apiVersion}, Kind=${kind}`;

export interface ConversionQuestion {
  readonly objects: readonly KubeObject[];
  readonly desiredAPIVersion: string;
  readonly uid: string;
  /** Of the versions that the webhook knows, in its order, the first that is known here. */
  readonly reviewVersion: 'v1' | 'v1beta1';
}

/** undefined = the webhook knows none. */
export const reviewVersionOf = (
  versions: readonly string[],
): ConversionQuestion['reviewVersion'] | undefined =>
  versions.find((version) => version === 'v1' || version === 'v1beta1') as
    | ConversionQuestion['reviewVersion']
    | undefined;

export const conversionReview = ({ uid, reviewVersion, ...request }: ConversionQuestion): object => ({
  kind: 'ConversionReview',
  apiVersion: `${group}/${reviewVersion}`,
  request: { uid, desiredAPIVersion: request.desiredAPIVersion, objects: request.objects },
});

interface Answer {
  readonly kind?: unknown;
  readonly apiVersion?: unknown;
  readonly response?: {
    readonly uid?: unknown;
    readonly convertedObjects?: unknown;
    readonly result?: { readonly status?: unknown; readonly message?: unknown };
  } | null;
}

/** The objects of an answer, each with the metadata it had. Throws an Error that tells why it cannot be used. */
export function readConverted(value: unknown, question: ConversionQuestion): KubeObject[] {
  const { objects, desiredAPIVersion } = question;
  const about = `conversion webhook for ${typeOf(objects[0]!)}`;
  const converted = convertedOf(value, question, about);
  if (converted.length !== objects.length)
    throw new Error(`${about} returned ${converted.length} objects, expected ${objects.length}`);
  // Kubernetes counts from one in lists, and from zero otherwise.
  const several = objects.length > 1;
  return objects.map((original, i) => {
    const where = several ? `converted object at index ${i + 1}` : 'object';
    const at = several ? '' : ' at index 0';
    const one = converted[i];
    if (!isObject(one)) throw new Error(`${about} returned invalid ${where}${at}: it is no object`);
    const { apiVersion, kind } = one;
    if (apiVersion !== desiredAPIVersion)
      throw new Error(
        `${about} returned invalid ${where}${at}: invalid groupVersion (expected ${desiredAPIVersion}, received ${String(apiVersion)})`,
      );
    if (kind !== original.kind)
      throw new Error(
        `${about} returned invalid ${where}${at}: invalid kind (expected ${original.kind}, received ${String(kind)})`,
      );
    const stranger = sameIdentity(original, one);
    if (stranger !== undefined) throw new Error(`${about} returned invalid ${where}: ${stranger}`);
    const metadata = restored(original, one['metadata'], (why) => {
      const what = several ? `metadata in object at index ${i + 1}` : 'metadata';
      return new Error(`${about} returned invalid ${what}: ${why}`);
    });
    return { ...one, metadata } as unknown as KubeObject;
  });
}

function convertedOf(
  value: unknown,
  { uid, reviewVersion }: ConversionQuestion,
  about: string,
): readonly unknown[] {
  const failed = (why: string) => new Error(`${about} failed: ${why}`);
  const { kind, apiVersion, response } = (isObject(value) ? value : {}) as Answer;
  const strict = reviewVersion === 'v1';
  if (strict && (kind !== 'ConversionReview' || apiVersion !== `${group}/v1`))
    throw failed(
      `expected webhook response of ${group}/v1, Kind=ConversionReview, got ${String(apiVersion ?? '')}, Kind=${String(kind ?? '')}`,
    );
  if (response === undefined || response === null) throw failed('no response provided');
  if (strict && response.uid !== uid)
    throw failed(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  const { status, message } = response.result ?? {};
  if (status !== 'Success')
    throw failed(
      typeof message === 'string' && message !== ''
        ? message
        : `response.result.status was '${String(status ?? '')}', not 'Success'`,
    );
  const { convertedObjects } = response;
  return Array.isArray(convertedObjects) ? convertedObjects : [];
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function sameIdentity({ metadata }: KubeObject, converted: Json): string | undefined {
  const given = isObject(converted['metadata']) ? converted['metadata'] : {};
  for (const [field, shown] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [want, got] = [metadata[field] ?? '', given[field] ?? ''];
    if (want !== got) return `must have the same ${shown}: ${want} != ${String(got)}`;
  }
  return undefined;
}

/** The metadata as it was, with the labels and annotations of the answer. */
function restored(
  { metadata }: KubeObject,
  given: unknown,
  invalid: (why: string) => Error,
): KubeObject['metadata'] {
  if (given === undefined) throw invalid('missing metadata in converted object');
  if (!isObject(given)) throw invalid('invalid metadata in converted object');
  const out = structuredClone(metadata) as KubeObject['metadata'];
  for (const field of ['labels', 'annotations'] as const) {
    const texts = given[field];
    delete out[field];
    if (texts === undefined || texts === null) continue;
    if (!isObject(texts)) throw invalid(`invalid metadata.${field} in converted object`);
    for (const [key, text] of Object.entries(texts))
      if (typeof text !== 'string')
        throw invalid(
          `metadata.${field}[${key}] must be a string, but is ${typeof text} in converted object`,
        );
    const causes = new Causes();
    if (field === 'labels') validateLabels(texts as Record<string, string>, 'metadata.labels', causes);
    else validateAnnotations(texts as Record<string, string>, 'metadata.annotation', causes);
    if (causes.list.length > 0 && !sameTexts(texts, metadata[field])) {
      const whys = causes.list.map((cause) => `${cause.field}: ${cause.message}`);
      throw invalid(whys.length === 1 ? whys[0]! : `[${whys.join(', ')}]`);
    }
    out[field] = texts as Record<string, string>;
  }
  return out;
}

const sameTexts = (a: Json, b: Readonly<Record<string, string>> = {}): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.keys(a).every((key) => a[key] === b[key]);
