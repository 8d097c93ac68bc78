// ImageLocality: nodes that hold the pod's large images already are better, less so the fewer nodes do: else they would all be full.
import { definePlugin, definePluginFactory } from '../plugin.ts';

const name = 'ImageLocality';
const mebibyte = 1024 * 1024;
const leastBytes = 23 * mebibyte;
const mostBytesPerImage = 1000 * mebibyte;

/** As the node reports it: with a tag. */
const withTag = (image: string): string =>
  image.lastIndexOf(':') <= image.lastIndexOf('/') ? `${image}:latest` : image;

export const imageLocality = definePluginFactory<readonly string[]>({
  name,
  build: ({ cluster }) =>
    definePlugin<readonly string[]>({
      name,
      preFilter({ pod: { spec } }) {
        if (cluster.imageNodes.size === 0) return undefined;
        const images = [
          ...[...(spec.initContainers ?? []), ...spec.containers].map(({ image = '' }) => image),
          ...(spec.volumes ?? []).flatMap(({ image }) =>
            image?.reference === undefined ? [] : [image.reference],
          ),
        ].map(withTag);
        return images.some((image) => cluster.imageNodes.has(image)) ? images : undefined;
      },
      score(images, node) {
        if (node.images.size === 0) return 0;
        let sum = 0;
        for (let i = 0; i < images.length; i++) {
          const bytes = node.images.get(images[i]!);
          if (bytes === undefined) continue;
          sum += Math.floor((bytes * cluster.imageNodes.get(images[i]!)!) / cluster.nodes.length);
        }
        const most = mostBytesPerImage * images.length;
        const clipped = Math.min(most, Math.max(leastBytes, sum));
        return Math.floor((100 * (clipped - leastBytes)) / (most - leastBytes));
      },
    }),
});
