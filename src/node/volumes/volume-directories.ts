// The directories that this node keeps for volumes of the default storage class: made when a pod first needs one, removed when its volume
// is released. The choice: the node learns of both from the volume in the API and says there what it has done, so that neither it nor the
// server has to be up at the same time, and a volume is never gone while its directory is not.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import {
  isDirectoryRemoved,
  keeperOf,
  keptByLabel,
  Node,
  PersistentVolume,
  removedAnnotation,
  volumeDirectoryAnnotation,
} from '../../api/index.ts';
import type { Clock, Log, Scope } from '../../base/index.ts';
import { type Client, type Informer, type Informers, WorkQueue } from '../../client/index.ts';
import { formatTime, isNotFound } from '../../machinery/index.ts';
import { mountsBelow } from './mount-table.ts';
import { ensureDirectory } from './new-directory.ts';
import { VolumeError } from './volume-error.ts';

export interface VolumeDirectoriesOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly nodeName: string;
  /** Every volume is a directory right below it. */
  readonly root: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  /** Something went wrong with a volume that nobody waits for. */
  warn(volume: PersistentVolume, reason: string, message: string): void;
}

/** The key of the node itself, which no volume can have. */
const self = '';
const retry = { retryInitialMs: 1_000, retryMaxMs: 60_000 };

/** Whether the directory is to go. Who says that the volume is released has asked the server for its claim. Pure. */
export function isToBeRemoved(volume: PersistentVolume, nodeName: string): boolean {
  const { spec, status } = volume;
  return (
    keeperOf(volume) === nodeName &&
    spec.persistentVolumeReclaimPolicy === 'Delete' &&
    (status?.phase === 'Released' || status?.phase === 'Failed') &&
    !isDirectoryRemoved(volume)
  );
}

/** Throws a VolumeError unless the volume's directory is one of those right below `root`. Pure. */
export function directoryOf({ spec }: PersistentVolume, root: string): string {
  const directory = spec.local?.path ?? '';
  const name = path.basename(directory);
  if (path.join(root, name) !== directory || name === '' || name === '.' || name === '..')
    throw new VolumeError(`directory ${JSON.stringify(directory)} is not one of those in ${root}`);
  return directory;
}

export class VolumeDirectories {
  readonly #options: VolumeDirectoriesOptions;
  readonly #queue: WorkQueue;
  #volumes: Informer<PersistentVolume> | undefined;
  #nodes: Informer<Node> | undefined;

  constructor(options: VolumeDirectoriesOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({ clock: options.clock, ...retry });
  }

  keeps(volume: PersistentVolume): boolean {
    return keeperOf(volume) === this.#options.nodeName;
  }

  /** Makes the directory of a volume; what is in it stays. Rejects with a VolumeError when it is none of this node's. */
  async ensure(volume: PersistentVolume): Promise<void> {
    const { root } = this.#options;
    const directory = directoryOf(volume, root);
    await fs.mkdir(root, { recursive: true, mode: 0o711 });
    // Containers run as whom they like.
    await ensureDirectory(directory, { mode: 0o777 });
  }

  /** Tells where this node keeps volumes, and removes what is released, until the scope ends. The Node must exist. */
  start(): void {
    const { informers, nodeName, scope } = this.#options;
    const volumes = informers(PersistentVolume, { labelSelector: `${keptByLabel}=${nodeName}` });
    const nodes = informers(Node);
    this.#volumes = volumes;
    this.#nodes = nodes;
    const look = ({ metadata }: PersistentVolume) => this.#queue.add(metadata.name);
    volumes.onChange({ added: look, updated: (_, volume) => look(volume) });
    const lookAtSelf = ({ metadata }: Node) => {
      if (metadata.name === nodeName) this.#queue.add(self);
    };
    nodes.onChange({ added: lookAtSelf, updated: (_, node) => lookAtSelf(node) });
    scope.run('volume directories', (signal) => this.#work(signal));
  }

  async #work(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#queue.shutDown(), { once: true });
    for (;;) {
      const key = await this.#queue.next();
      if (key === undefined || signal.aborted) return;
      try {
        await (key === self ? this.#announce() : this.#tidy(key));
        this.#queue.forget(key);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log.warn('cannot look after a directory of a volume', { volume: key, error });
        this.#queue.addRateLimited(key);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  async #announce(): Promise<void> {
    const { client, nodeName, root } = this.#options;
    const node = this.#nodes?.get(nodeName);
    if (node === undefined || node.metadata.annotations?.[volumeDirectoryAnnotation] === root) return;
    const annotations = { [volumeDirectoryAnnotation]: root };
    await client(Node).patch({ name: nodeName }, 'merge', { metadata: { annotations } });
  }

  async #tidy(name: string): Promise<void> {
    const { client, clock, nodeName, root, warn, log } = this.#options;
    const seen = this.#volumes?.get(name);
    if (seen === undefined || !isToBeRemoved(seen, nodeName)) return;
    // What follows cannot be undone: nothing of it is decided by a cache.
    const volume = await client(PersistentVolume).get(name).catch(undefinedIfNotFound);
    if (volume?.metadata.uid !== seen.metadata.uid || !isToBeRemoved(volume, nodeName)) return;
    try {
      const directory = directoryOf(volume, root);
      await removeDirectory(directory);
      log.info('removed the directory of a released volume', { volume: name, directory });
    } catch (error) {
      warn(volume, 'VolumeFailedDelete', (error as Error).message);
      throw error;
    }
    const annotations = { [removedAnnotation]: formatTime(clock.nowMs()) };
    await client(PersistentVolume)
      .patch({ name }, 'merge', { metadata: { annotations } })
      .catch(undefinedIfNotFound);
  }
}

/** With all that is in it; resolves too when it is not there. What a container mounted in it is not followed. */
async function removeDirectory(directory: string): Promise<void> {
  const [mount] = await mountsBelow(directory);
  if (mount !== undefined)
    throw new Error(`${mount} is a mount point, and what is mounted may not be removed`);
  await fs.rm(directory, { recursive: true, force: true });
}

const undefinedIfNotFound = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error;
};
