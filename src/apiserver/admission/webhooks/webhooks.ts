// MutatingAdmissionWebhook and ValidatingAdmissionWebhook: programs outside that may change or refuse a write. A write that no webhook
// is about waits for nothing. What fails is refused or passed over, as the webhook's failure policy says.
import {
  MutatingWebhookConfiguration,
  Namespace,
  ValidatingWebhookConfiguration,
} from '../../../api/index.ts';
import type { Clock, Log, Random } from '../../../base/index.ts';
import {
  forbidden,
  internalError,
  type KindDef,
  type KubeObject,
  type Labels,
  RequestConditions,
} from '../../../machinery/index.ts';
import type { Store } from '../../../storage/index.ts';
import type { Authorize } from '../../auth/authorize.ts';
import { refOf } from '../../registry/core.ts';
import { decodePatched } from '../../registry/decode.ts';
import { keyFor, objectOf, sameJson } from '../../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest, Admitted, ConnectOptions } from '../admission.ts';
import { isExempt } from '../exempt.ts';
import { authorizerOf } from '../request-authorizer.ts';
import { matches } from '../request-match.ts';
import { WebhookCalls } from './calls.ts';
import { dryRunUnsupported, patched, readAnswer, reviewOf, type Verdict } from './review.ts';

export interface WebhookOptions {
  /** Whom conditions may ask. */
  readonly authorize: Authorize;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What the server makes while it starts is its own affair: otherwise a webhook could keep it from starting again. */
  readonly isStarting: () => boolean;
}

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;
type Webhook = NonNullable<Configuration['webhooks']>[number] & {
  readonly reinvocationPolicy?: string | undefined;
};

const defaultTimeoutSeconds = 10;

export function mutatingWebhooks(options: WebhookOptions): AdmissionPlugin {
  const caller = new WebhookCaller(options, MutatingWebhookConfiguration as unknown as KindDef);
  return {
    name: 'MutatingAdmissionWebhook',
    mutate: (request) => {
      const webhooks = caller.configured(request);
      if (webhooks.some((webhook) => caller.isAbout(webhook, request)))
        return mutateAll(caller, webhooks, request);
    },
    // A delete has nothing to change, but it is asked about.
    validate: (request) => {
      if (request.operation === 'delete') return askAll(caller, request);
    },
  };
}

export function validatingWebhooks(options: WebhookOptions): AdmissionPlugin {
  const caller = new WebhookCaller(options, ValidatingWebhookConfiguration as unknown as KindDef);
  return { name: 'ValidatingAdmissionWebhook', validate: (request) => askAll(caller, request) };
}

/** All at once; of several refusals the first in the order of the webhooks is told. */
function askAll(caller: WebhookCaller, request: AdmissionRequest): Admitted {
  const asked = caller.configured(request).filter((webhook) => caller.isAbout(webhook, request));
  if (asked.length === 0) return;
  return Promise.allSettled(asked.map((webhook) => caller.ask(webhook, request))).then((answers) => {
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
  });
}

/** One after the other. Who asks for it is called once more when a later one has changed what he saw. */
async function mutateAll(
  caller: WebhookCaller,
  webhooks: readonly Webhook[],
  request: AdmissionRequest,
): Promise<void> {
  const seen = new Map<Webhook, unknown>();
  for (const webhook of webhooks) {
    // What it is about may follow from what others changed before.
    if (!caller.isAbout(webhook, request)) continue;
    await change(caller, webhook, request);
    if (webhook.reinvocationPolicy === 'IfNeeded') seen.set(webhook, structuredClone(subject(request)));
  }
  for (const [webhook, after] of seen)
    if (!sameJson(after, subject(request)) && caller.isAbout(webhook, request))
      await change(caller, webhook, request);
}

/** What may be changed: the object, or how a connection is asked to be. */
const subject = ({ object, connect }: AdmissionRequest): KubeObject | ConnectOptions => (object ?? connect)!;

async function change(caller: WebhookCaller, webhook: Webhook, request: AdmissionRequest): Promise<void> {
  const verdict = await caller.ask(webhook, request);
  if (verdict?.patch === undefined) return;
  try {
    replace(request, patched(subject(request), verdict.patch));
  } catch (error) {
    caller.failed(webhook, error);
  }
}

/** Others hold the object and its metadata: both stay who they are. A webhook changes neither its name nor where it lies. */
function replace({ kind, object, connect }: AdmissionRequest, value: unknown): void {
  if (object === null) {
    const { apiVersion, kind: kindOfOptions } = connect!;
    overwrite(connect!, { ...(value as object), apiVersion, kind: kindOfOptions });
    return;
  }
  const held = object;
  const { name, namespace, uid } = held.metadata;
  const next = decodePatched(kind, value).object;
  const metadata = { ...next.metadata, name, namespace, uid };
  overwrite(held.metadata, metadata);
  overwrite(held, { ...next, metadata: held.metadata });
}

function overwrite(target: object, source: object): void {
  const to = target as Record<string, unknown>;
  for (const key of Object.keys(to)) if (!(key in source)) delete to[key];
  for (const [key, value] of Object.entries(source)) if (value !== undefined) to[key] = value;
}

/** One that does not hold is enough to know that the webhook is not about the request, whatever the others come to. */
function conditionsHold(
  { matchConditions = [], failurePolicy }: Webhook,
  request: AdmissionRequest,
  authorize: Authorize,
): boolean {
  if (matchConditions.length === 0) return true;
  const { object, oldObject, uid: _uid, ...rest } = reviewOf(request, '').request;
  const conditions = new RequestConditions({
    object,
    oldObject,
    request: rest,
    authorizer: authorizerOf(request, authorize),
  });
  const faults: string[] = [];
  for (const { expression } of matchConditions)
    try {
      if (!conditions.holds(expression)) return false;
    } catch (error) {
      faults.push((error as Error).message);
    }
  if (faults.length === 0) return true;
  if (failurePolicy === 'Ignore') return false;
  throw forbidden(
    refOf(request.kind),
    request.name,
    faults.length === 1 ? faults[0]! : `[${faults.join(', ')}]`,
  );
}

class WebhookCaller {
  readonly #options: WebhookOptions;
  readonly #kind: KindDef;
  readonly #calls: WebhookCalls;
  readonly #labelsOf: (namespace: string) => Labels | undefined;

  constructor(options: WebhookOptions, kind: KindDef) {
    this.#options = options;
    this.#calls = new WebhookCalls(options);
    this.#kind = kind;
    this.#labelsOf = (name) => {
      const entry = options.store.get(keyFor(Namespace as unknown as KindDef, undefined, name));
      return entry === undefined ? undefined : (objectOf(entry).metadata.labels ?? {});
    };
  }

  /** HOT: asked of every write. By the names of their configurations, then as they stand there. */
  configured(request: AdmissionRequest): readonly Webhook[] {
    const { store, isStarting } = this.#options;
    if (store.count(this.#kind.storagePrefix) === 0 || isExempt(request, isStarting)) return [];
    return store
      .list(this.#kind.storagePrefix)
      .flatMap((entry) => (objectOf<Configuration & KubeObject>(entry).webhooks ?? []) as Webhook[]);
  }

  /** Throws a refusal when that cannot be said and the webhook must not fail. */
  isAbout(webhook: Webhook, request: AdmissionRequest): boolean {
    return (
      matches({ ...webhook, rules: webhook.rules ?? [] }, request, this.#labelsOf) &&
      conditionsHold(webhook, request, this.#options.authorize)
    );
  }

  /** undefined = it could not be asked, and need not be. Rejects with its refusal, or with 500 when it fails and must not. */
  async ask(webhook: Webhook, request: AdmissionRequest): Promise<Verdict | undefined> {
    const { context } = request;
    if (context.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun')
      throw dryRunUnsupported(webhook.name);
    let verdict: Verdict;
    try {
      verdict = await this.#call(webhook, request);
    } catch (error) {
      this.failed(webhook, error);
      return undefined;
    }
    context.warnings.push(...verdict.warnings);
    if (verdict.refusal !== undefined) throw verdict.refusal;
    return verdict;
  }

  /** Throws when the webhook must not fail. */
  failed({ name, failurePolicy }: Webhook, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    if (failurePolicy !== 'Ignore')
      throw internalError(new Error(`failed calling webhook ${JSON.stringify(name)}: ${why}`));
    this.#options.log.warn('failed calling webhook, failing open', { webhook: name, error });
  }

  async #call(webhook: Webhook, request: AdmissionRequest): Promise<Verdict> {
    const { random } = this.#options;
    if (!webhook.admissionReviewVersions.includes('v1'))
      throw new Error('it knows no version of AdmissionReview that this server speaks: v1');
    const uid = random.uuid();
    const answer = await this.#calls
      .post({
        clientConfig: webhook.clientConfig,
        timeoutSeconds: webhook.timeoutSeconds ?? defaultTimeoutSeconds,
        body: reviewOf(request, uid),
      })
      .catch((error: Error) => {
        throw new Error(`failed to call webhook: ${error.message}`, { cause: error });
      });
    return readAnswer(answer, { uid, webhook: webhook.name });
  }
}
