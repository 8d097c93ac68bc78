// The manifests in a folder, or in one file, read again whenever something in it changes and now and then besides. What cannot be read
// as a pod is told once and left out; the others are not disturbed by it.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Pod } from '../../api/index.ts';
import { type Clock, type Log, type Scope, sleep } from '../../base/index.ts';
import { loadYaml } from '../../machinery/index.ts';
import { readManifest } from './manifest.ts';

export interface ManifestFolderOptions {
  readonly path: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  readonly onChange: (pods: readonly Pod[]) => void;
}

/** The kubelet's fileCheckFrequency. */
const checkMs = 20_000;
/** An editor writes a file in several steps. */
const settleMs = 100;

export class ManifestFolder {
  readonly #options: ManifestFolderOptions;
  /** By file: what was read last time, so that what has not changed stays the same pod. */
  #known = new Map<string, { text: string; pod: Pod | undefined }>();
  #settled = false;
  #wake: (() => void) | undefined;

  constructor(options: ManifestFolderOptions) {
    this.#options = options;
  }

  /** Follows the folder until the scope ends. A folder that does not exist holds nothing, until it exists. */
  start(): void {
    const { scope } = this.#options;
    scope.run('static pods', async (signal) => {
      let watcher: fs.FSWatcher | undefined;
      try {
        while (!signal.aborted) {
          watcher ??= this.#watch();
          await this.#read();
          await this.#rest(signal);
          if (watcher !== undefined && !fs.existsSync(this.#options.path)) {
            watcher.close();
            watcher = undefined;
          }
        }
      } finally {
        watcher?.close();
      }
    });
  }

  #watch(): fs.FSWatcher | undefined {
    try {
      const watcher = fs.watch(this.#options.path, () => this.#wake?.());
      watcher.on('error', () => this.#wake?.());
      return watcher;
    } catch {
      return undefined;
    }
  }

  async #rest(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await sleep(clock, checkMs, AbortSignal.any([signal, woken.signal])).catch(() => {});
    this.#wake = undefined;
    if (!signal.aborted && woken.signal.aborted) await sleep(clock, settleMs, signal).catch(() => {});
  }

  async #read(): Promise<void> {
    const { nodeName, clock, log, onChange } = this.#options;
    const known = new Map<string, { text: string; pod: Pod | undefined }>();
    for (const file of this.#files()) {
      const text = readText(file);
      if (text === undefined) continue;
      const before = this.#known.get(file);
      if (before?.text === text) {
        known.set(file, before);
        continue;
      }
      let pod: Pod | undefined;
      try {
        const parsed = (await loadYaml()).parseYaml(text);
        if (!parsed.ok) throw new Error(parsed.error);
        pod = readManifest(parsed.value, { file, nodeName, nowMs: clock.nowMs() });
      } catch (error) {
        log.warn('cannot process manifest file', { file, error });
      }
      known.set(file, { text, pod });
    }
    const same = known.size === this.#known.size && [...known].every(([f, k]) => this.#known.get(f) === k);
    this.#known = known;
    if (same && this.#settled) return;
    this.#settled = true;
    onChange([...known.values()].flatMap(({ pod }) => pod ?? []));
  }

  /** Not those in folders below, nor those whose names begin with a dot. */
  #files(): string[] {
    const { path: root } = this.#options;
    try {
      if (fs.statSync(root).isFile()) return [root];
      return fs
        .readdirSync(root)
        .filter((name) => !name.startsWith('.'))
        .sort()
        .map((name) => path.join(root, name));
    } catch {
      return [];
    }
  }
}

function readText(file: string): string | undefined {
  try {
    return fs.statSync(file).isFile() ? fs.readFileSync(file, 'utf8') : undefined;
  } catch {
    return undefined;
  }
}
