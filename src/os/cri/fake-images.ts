// The images of the fake runtime: each name is an image of its own, whose id follows from it.
import type { ImageInfo } from './container-runtime.ts';

export class FakeImages {
  readonly #byName = new Map<string, ImageInfo>();

  /** Does nothing when it is there. */
  add(name: string): ImageInfo {
    const present = this.#byName.get(name);
    if (present !== undefined) return present;
    const sum = [...name].reduce((all, letter) => (all * 31 + letter.charCodeAt(0)) >>> 0, 7);
    const id = `sha256:${sum.toString(16).padStart(64, '0')}`;
    const image: ImageInfo = {
      id,
      repoTags: [name],
      repoDigests: [`${name.replace(/:[^:/]*$/, '')}@${id}`],
      sizeBytes: 1_000_000,
      uid: undefined,
      username: '',
    };
    this.#byName.set(name, image);
    return image;
  }

  /** By name or id. */
  find(image: string): ImageInfo | undefined {
    return this.#byName.get(image) ?? this.list().find(({ id }) => id === image);
  }

  list(): readonly ImageInfo[] {
    return [...this.#byName.values()];
  }

  /** By name or id; none is fine. */
  remove(image: string): void {
    for (const [name, { id }] of this.#byName) if (name === image || id === image) this.#byName.delete(name);
  }
}
