// What the node says of itself, gathered for its status.
import type { ContainerRuntime } from '../../os/index.ts';
import type { NodeStatusInput } from './node-status.ts';

type Report = Omit<NodeStatusInput, 'previous' | 'nowMs'>;

export interface NodeFacts extends Omit<Report, 'problems' | 'images'> {
  readonly runtime: Pick<ContainerRuntime, 'listImages'>;
  /** In the kubelet's words; undefined = none. */
  readonly runtimeProblem: string | undefined;
  readonly networkProblem: string | undefined;
  readonly shutdownProblem: string | undefined;
}

/** As many images as the kubelet tells of, the largest first. */
const maxImages = 50;

/** Images that cannot be listed are left out. */
export async function nodeReport({
  runtime,
  runtimeProblem,
  networkProblem,
  shutdownProblem,
  ...facts
}: NodeFacts): Promise<Report> {
  const problems: string[] = [];
  if (runtimeProblem !== undefined) problems.push(runtimeProblem);
  if (networkProblem !== undefined)
    problems.push(
      `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${networkProblem}`,
    );
  if (shutdownProblem !== undefined) problems.push(shutdownProblem);
  const images = await runtime.listImages().catch(() => []);
  return {
    ...facts,
    problems,
    images: [...images]
      .sort((a, b) => b.sizeBytes - a.sizeBytes)
      .slice(0, maxImages)
      .map((i) => ({ names: [...i.repoDigests, ...i.repoTags], sizeBytes: i.sizeBytes })),
  };
}
