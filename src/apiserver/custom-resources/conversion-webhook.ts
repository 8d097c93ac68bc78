// Versions of a custom resource that its author's webhook makes: asked for what is stored in another version, and for what is to be
// stored in another. What is stored gets the defaults of its own version first; what comes back is pruned by the schema of the version
// it is in.
import type { CustomResourceDefinition } from '../../api/index.ts';
import type { Random } from '../../base/index.ts';
import {
  applyDefaults,
  type JsonSchema,
  type KubeObject,
  prune,
  StatusError,
  type Translation,
} from '../../machinery/index.ts';
import type { WebhookCalls } from '../admission/webhooks/calls.ts';
import { conversionReview, readConverted, reviewVersionOf, typeOf } from './conversion-review.ts';

/** How long kube-apiserver waits. */
const timeoutSeconds = 30;
/** So that a review of large objects stays far below what a webhook takes. */
const objectsPerReview = 100;

export interface WebhookSurroundings {
  readonly calls: WebhookCalls;
  readonly random: Random;
}

/** How the objects of a definition become those of its version `name`, and back. */
export function webhookTranslation(
  { spec }: CustomResourceDefinition,
  name: string,
  { calls, random }: WebhookSurroundings,
): Translation {
  const webhook = spec.conversion?.webhook;
  const versionOf = (version: string): string => `${spec.group}/${version}`;
  const own = versionOf(name);
  const stored = versionOf(spec.versions.find(({ storage }) => storage)?.name ?? name);
  const schemas = new Map(
    spec.versions.map((version) => [
      versionOf(version.name),
      (version.schema?.openAPIV3Schema ?? {}) as JsonSchema,
    ]),
  );

  const convert = async (objects: readonly KubeObject[], to: string): Promise<KubeObject[]> => {
    const about = typeOf(objects[0]!);
    const reviewVersion = reviewVersionOf(webhook?.conversionReviewVersions ?? []);
    if (reviewVersion === undefined) throw failure('no supported conversion review versions');
    const question = { objects, desiredAPIVersion: to, uid: random.uuid(), reviewVersion };
    const answer = await calls
      .post({
        clientConfig: webhook?.clientConfig ?? {},
        timeoutSeconds,
        body: conversionReview(question),
      })
      .catch((error: Error) => {
        throw failure(`conversion webhook for ${about} failed: ${error.message}`);
      });
    let converted: KubeObject[];
    try {
      converted = readConverted(answer, question);
    } catch (error) {
      throw failure((error as Error).message);
    }
    for (const object of converted) prune(schemas.get(to)!, object as unknown as Record<string, unknown>, []);
    return converted;
  };

  return {
    async fromStored(objects) {
      const out = objects.map((object) => structuredClone(object) as KubeObject);
      for (const object of out) applyDefaults(schemas.get(object.apiVersion), object);
      const others = out.flatMap(({ apiVersion }, i) => (apiVersion === own ? [] : [i]));
      for (let at = 0; at < others.length; at += objectsPerReview) {
        const part = others.slice(at, at + objectsPerReview);
        const converted = await convert(
          part.map((i) => out[i]!),
          own,
        );
        for (const [n, i] of part.entries()) out[i] = converted[n]!;
      }
      return out;
    },
    async toStored(object) {
      return own === stored ? object : (await convert([object], stored))[0]!;
    },
    isOutdated: ({ apiVersion }) => apiVersion !== stored,
  };
}

/** As kube-apiserver answers: a 500 that says no more than what the webhook did. */
const failure = (message: string): StatusError => new StatusError(500, 'Unknown', message);
