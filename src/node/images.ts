// Makes sure that a container's image is on the node, by its pull policy, with back-off per image, in the kubelet's words.
import type { coreV1, Pod } from '../api/index.ts';
import { backoffMs, type Clock } from '../base/index.ts';
import type { ContainerRuntime, ImageInfo, RegistryAuth } from '../os/index.ts';
import { humanSpan } from './span.ts';

/** An image cannot be used now. `reason` is the waiting reason of the container. */
export class ImageError extends Error {
  readonly reason:
    | 'ErrImagePull'
    | 'ImagePullBackOff'
    | 'ErrImageNeverPull'
    | 'InvalidImageName'
    | 'ImageInspectError';
  constructor(reason: ImageError['reason'], message: string) {
    super(message);
    this.name = 'ImageError';
    this.reason = reason;
  }
}

export interface ImagesOptions {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
}

export interface ImageRequest {
  readonly pod: Pod;
  readonly container: coreV1.Container;
  readonly auths: readonly RegistryAuth[];
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
  readonly signal: AbortSignal;
}

const initialMs = 10_000;
const maxMs = 300_000;
/** How long "it is there" is believed without asking: images rarely go, and every container of a burst asks. */
const presentMs = 5_000;

interface Failure {
  count: number;
  untilMs: number;
  atMs: number;
}

/** `docker.io/library/busybox:1.36` for `busybox:1.36`: what the reference means. undefined = not a reference. */
export function normalizeImage(image: string): string | undefined {
  const [, name = '', tag, digest] =
    /^([^@:]+(?::\d+(?=\/))?[^@:]*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(image) ?? [];
  if (name === '') return undefined;
  const parts = name.split('/');
  const first = parts[0]!;
  const hasHost = parts.length > 1 && isHost(first);
  const path = hasHost ? parts.slice(1) : parts.length === 1 ? ['library', first] : parts;
  if (!path.every((p) => /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/.test(p))) return undefined;
  const host = hasHost ? first : 'docker.io';
  const suffix =
    digest !== undefined ? `${tag === undefined ? '' : `:${tag}`}@${digest}` : `:${tag ?? 'latest'}`;
  return `${host}/${path.join('/')}${suffix}`;
}

/** No repository is written in capitals, so what has some is a host. */
const isHost = (part: string): boolean =>
  /[.:]/.test(part) || part === 'localhost' || part !== part.toLowerCase();

/** Why it is not a reference, in the words of the library that the kubelet parses with. */
export function referenceFault(image: string): string {
  const [first = '', ...rest] = image.split('/');
  const path = rest.length === 0 ? `library/${image}` : isHost(first) ? rest.join('/') : image;
  const name = path.split(':')[0]!;
  const fault = 'invalid reference format';
  return name === name.toLowerCase() ? fault : `${fault}: repository name (${name}) must be lowercase`;
}

export class Images {
  readonly #options: ImagesOptions;
  readonly #failures = new Map<string, Failure>();
  readonly #pulls = new Map<string, Promise<string>>();
  readonly #present = new Map<string, { info: ImageInfo; atMs: number }>();

  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  /** Rejects with an ImageError. */
  async ensure(request: ImageRequest): Promise<ImageInfo> {
    const { container, event } = request;
    const asked = container.image ?? '';
    const image = normalizeImage(asked);
    if (image === undefined) {
      const message = `Failed to apply default image tag "${asked}": couldn't parse image name "${asked}": ${referenceFault(asked)}`;
      event('Warning', 'InspectFailed', message);
      throw new ImageError('InvalidImageName', message);
    }
    const policy = container.imagePullPolicy ?? 'IfNotPresent';
    const present = await this.#status(image).catch((error: Error) => {
      const message = `Failed to inspect image "${asked}": ${error.message}`;
      event('Warning', 'InspectFailed', message);
      throw new ImageError('ImageInspectError', message);
    });
    if (present !== undefined && policy !== 'Always') {
      event(
        'Normal',
        'Pulled',
        `Container image "${asked}" already present on machine and can be accessed by the pod`,
      );
      return present;
    }
    if (policy === 'Never') {
      event(
        'Warning',
        'ErrImageNeverPull',
        `Container image "${asked}" is not present with pull policy of Never`,
      );
      throw new ImageError(
        'ErrImageNeverPull',
        `Container image "${asked}" is not present with pull policy of Never`,
      );
    }
    return this.#pull(request, image);
  }

  async #pull(request: ImageRequest, image: string): Promise<ImageInfo> {
    const { clock, runtime } = this.#options;
    const { event, pod } = request;
    const asked = request.container.image ?? '';
    const key = `${pod.metadata.uid} ${image}`;
    const failure = this.#failures.get(key);
    if (failure !== undefined && clock.nowMs() < failure.untilMs) {
      event('Normal', 'BackOff', `Back-off pulling image "${asked}"`);
      throw new ImageError('ImagePullBackOff', `Back-off pulling image "${asked}"`);
    }
    event('Normal', 'Pulling', `Pulling image "${asked}"`);
    const startedMs = clock.monotonicMs();
    try {
      // Several pods that want the same image share one pull.
      let pulling = this.#pulls.get(image);
      if (pulling === undefined) {
        pulling = this.#tryAuths(image, request.auths).finally(() => this.#pulls.delete(image));
        this.#pulls.set(image, pulling);
      }
      await abortable(pulling, request.signal);
    } catch (error) {
      request.signal.throwIfAborted();
      const count =
        (failure !== undefined && clock.nowMs() - failure.atMs < 2 * maxMs ? failure.count : 0) + 1;
      const nowMs = clock.nowMs();
      this.#failures.set(key, {
        count,
        atMs: nowMs,
        untilMs: nowMs + backoffMs(count - 1, { initialMs, maxMs }),
      });
      const message = `Failed to pull image "${asked}": ${(error as Error).message}`;
      event('Warning', 'Failed', message);
      throw new ImageError('ErrImagePull', (error as Error).message);
    }
    this.#failures.delete(key);
    const info = await runtime.imageStatus(image);
    if (info === undefined)
      throw new ImageError('ErrImagePull', `image "${asked}" is gone after it was pulled`);
    this.#present.set(image, { info, atMs: clock.monotonicMs() });
    const took = humanSpan(clock.monotonicMs() - startedMs);
    event(
      'Normal',
      'Pulled',
      `Successfully pulled image "${asked}" in ${took} (${took} including waiting). Image size: ${info.sizeBytes} bytes.`,
    );
    return info;
  }

  /** Milliseconds until a pod's image may be tried again; 0 = now. */
  backoffMs(pod: Pod, container: coreV1.Container): number {
    const image = normalizeImage(container.image ?? '');
    const failure = this.#failures.get(`${pod.metadata.uid} ${image}`);
    return failure === undefined ? 0 : Math.max(0, failure.untilMs - this.#options.clock.nowMs());
  }

  /** It is no longer on the node: whoever needs it next must not believe what was known. */
  removed(id: string): void {
    for (const [name, { info }] of this.#present) if (info.id === id) this.#present.delete(name);
  }

  forget(uid: string): void {
    for (const key of this.#failures.keys()) if (key.startsWith(`${uid} `)) this.#failures.delete(key);
  }

  async #status(image: string): Promise<ImageInfo | undefined> {
    const { clock, runtime } = this.#options;
    const known = this.#present.get(image);
    if (known !== undefined && clock.monotonicMs() - known.atMs < presentMs) return known.info;
    const info = await runtime.imageStatus(image);
    if (info === undefined) this.#present.delete(image);
    else this.#present.set(image, { info, atMs: clock.monotonicMs() });
    return info;
  }

  async #tryAuths(image: string, auths: readonly RegistryAuth[]): Promise<string> {
    const { runtime } = this.#options;
    if (auths.length === 0) return runtime.pullImage(image);
    let last: unknown;
    for (const auth of auths) {
      try {
        return await runtime.pullImage(image, auth);
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
