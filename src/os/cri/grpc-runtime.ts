// ContainerRuntime over CRI's gRPC on a unix socket. Loaded only when an agent runs (`connectRuntime`): grpc-js and the messages
// cost 50 ms of start-up.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Clock, systemClock } from '../../base/index.ts';
import { type ContainerRuntime, type RegistryAuth, RuntimeError } from './container-runtime.ts';
import * as mapping from './cri-mapping.ts';
import * as events from './generated/containerd-events_pb.js';
import * as cri from './generated/cri_pb.js';
import { GrpcChannel } from './grpc-channel.ts';

export interface GrpcRuntimeOptions {
  readonly socketPath: string;
  /** For calls that should be quick. */
  readonly timeoutMs: number;
  /** For starting a sandbox or container: the machine may be loaded. */
  readonly startTimeoutMs: number;
  readonly pullTimeoutMs: number;
  /** For deadlines. gRPC's own timers are the machine's, so no other clock makes sense with a real socket. */
  readonly clock: Clock;
}

export const defaultRuntimeTimeouts = {
  timeoutMs: 30_000,
  startTimeoutMs: 240_000,
  pullTimeoutMs: 3_600_000,
  clock: systemClock,
} as const;

const ignoreNotFound = (error: unknown): undefined => {
  if (error instanceof RuntimeError && error.code === 'notFound') return undefined;
  throw error;
};

export function createGrpcRuntime(options: GrpcRuntimeOptions): ContainerRuntime {
  const { clock } = options;
  const channel = new GrpcChannel(options.socketPath, clock);
  const unary = channel.unary.bind(channel);

  const runtime = '/runtime.v1.RuntimeService/';
  const image = '/runtime.v1.ImageService/';
  const quick = options.timeoutMs;
  const slow = options.startTimeoutMs;
  const rpc = {
    version: unary(`${runtime}Version`, [cri.VersionRequestSchema, cri.VersionResponseSchema], quick),
    status: unary(`${runtime}Status`, [cri.StatusRequestSchema, cri.StatusResponseSchema], quick),
    runPodSandbox: unary(
      `${runtime}RunPodSandbox`,
      [cri.RunPodSandboxRequestSchema, cri.RunPodSandboxResponseSchema],
      slow,
    ),
    stopPodSandbox: unary(
      `${runtime}StopPodSandbox`,
      [cri.StopPodSandboxRequestSchema, cri.StopPodSandboxResponseSchema],
      slow,
    ),
    removePodSandbox: unary(
      `${runtime}RemovePodSandbox`,
      [cri.RemovePodSandboxRequestSchema, cri.RemovePodSandboxResponseSchema],
      slow,
    ),
    podSandboxStatus: unary(
      `${runtime}PodSandboxStatus`,
      [cri.PodSandboxStatusRequestSchema, cri.PodSandboxStatusResponseSchema],
      quick,
    ),
    listPodSandbox: unary(
      `${runtime}ListPodSandbox`,
      [cri.ListPodSandboxRequestSchema, cri.ListPodSandboxResponseSchema],
      quick,
    ),
    createContainer: unary(
      `${runtime}CreateContainer`,
      [cri.CreateContainerRequestSchema, cri.CreateContainerResponseSchema],
      slow,
    ),
    startContainer: unary(
      `${runtime}StartContainer`,
      [cri.StartContainerRequestSchema, cri.StartContainerResponseSchema],
      slow,
    ),
    stopContainer: unary(
      `${runtime}StopContainer`,
      [cri.StopContainerRequestSchema, cri.StopContainerResponseSchema],
      slow,
    ),
    removeContainer: unary(
      `${runtime}RemoveContainer`,
      [cri.RemoveContainerRequestSchema, cri.RemoveContainerResponseSchema],
      slow,
    ),
    listContainers: unary(
      `${runtime}ListContainers`,
      [cri.ListContainersRequestSchema, cri.ListContainersResponseSchema],
      quick,
    ),
    containerStatus: unary(
      `${runtime}ContainerStatus`,
      [cri.ContainerStatusRequestSchema, cri.ContainerStatusResponseSchema],
      quick,
    ),
    updateContainerResources: unary(
      `${runtime}UpdateContainerResources`,
      [cri.UpdateContainerResourcesRequestSchema, cri.UpdateContainerResourcesResponseSchema],
      quick,
    ),
    reopenContainerLog: unary(
      `${runtime}ReopenContainerLog`,
      [cri.ReopenContainerLogRequestSchema, cri.ReopenContainerLogResponseSchema],
      quick,
    ),
    execSync: unary(`${runtime}ExecSync`, [cri.ExecSyncRequestSchema, cri.ExecSyncResponseSchema], quick),
    exec: unary(`${runtime}Exec`, [cri.ExecRequestSchema, cri.StreamUrlResponseSchema], quick),
    attach: unary(`${runtime}Attach`, [cri.AttachRequestSchema, cri.StreamUrlResponseSchema], quick),
    containerStats: unary(
      `${runtime}ListContainerStats`,
      [cri.ListContainerStatsRequestSchema, cri.ListContainerStatsResponseSchema],
      quick,
    ),
    listImages: unary(
      `${image}ListImages`,
      [cri.ListImagesRequestSchema, cri.ListImagesResponseSchema],
      quick,
    ),
    imageStatus: unary(
      `${image}ImageStatus`,
      [cri.ImageStatusRequestSchema, cri.ImageStatusResponseSchema],
      quick,
    ),
    pullImage: unary(
      `${image}PullImage`,
      [cri.PullImageRequestSchema, cri.PullImageResponseSchema],
      options.pullTimeoutMs,
    ),
    removeImage: unary(
      `${image}RemoveImage`,
      [cri.RemoveImageRequestSchema, cri.RemoveImageResponseSchema],
      quick,
    ),
    imageFsInfo: unary(
      `${image}ImageFsInfo`,
      [cri.ImageFsInfoRequestSchema, cri.ImageFsInfoResponseSchema],
      quick,
    ),
  };

  return {
    async version() {
      const answer = await rpc.version({ version: '0.1.0' });
      return {
        name: answer.runtimeName,
        version: answer.runtimeVersion,
        apiVersion: answer.runtimeApiVersion,
      };
    },
    async status() {
      return mapping.runtimeStatus((await rpc.status({})).status);
    },

    async runPodSandbox(config) {
      const answer = await rpc.runPodSandbox({
        config: mapping.sandboxConfig(config),
        runtimeHandler: config.runtimeHandler ?? '',
      });
      return answer.podSandboxId;
    },
    async stopPodSandbox(podSandboxId) {
      await rpc.stopPodSandbox({ podSandboxId }).catch(ignoreNotFound);
    },
    async removePodSandbox(podSandboxId) {
      await rpc.removePodSandbox({ podSandboxId }).catch(ignoreNotFound);
    },
    async podSandboxStatus(podSandboxId) {
      return mapping.sandboxStatus((await rpc.podSandboxStatus({ podSandboxId })).status!);
    },
    async listPodSandbox(filter = {}) {
      const answer = await rpc.listPodSandbox({
        filter: { id: filter.id ?? '', labelSelector: { ...filter.labels } },
      });
      return answer.items.map(mapping.sandboxInfo);
    },

    async createContainer(podSandboxId, config, sandbox) {
      const answer = await rpc.createContainer({
        podSandboxId,
        config: mapping.containerConfig(config),
        sandboxConfig: mapping.sandboxConfig(sandbox),
      });
      return answer.containerId;
    },
    async startContainer(containerId) {
      await rpc.startContainer({ containerId });
    },
    async stopContainer(containerId, graceSeconds) {
      const timeout = Math.max(0, Math.ceil(graceSeconds));
      await rpc
        .stopContainer({ containerId, timeout: BigInt(timeout) }, { timeoutMs: quick + timeout * 1000 })
        .catch(ignoreNotFound);
    },
    async signalContainer(containerId, signal) {
      // CRI has no call for it; the runtime is on this machine, and tells the process.
      const answer = await rpc.containerStatus({ containerId, verbose: true }).catch(ignoreNotFound);
      const pid = mapping.processOf(answer?.info ?? {});
      if (pid === undefined) return;
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
        throw new RuntimeError('failed', (error as Error).message, error);
      }
    },
    async removeContainer(containerId) {
      await rpc.removeContainer({ containerId }).catch(ignoreNotFound);
    },
    async listContainers(filter = {}) {
      const answer = await rpc.listContainers({
        filter: {
          id: filter.id ?? '',
          podSandboxId: filter.sandboxId ?? '',
          labelSelector: { ...filter.labels },
        },
      });
      return answer.containers.map(mapping.containerInfo);
    },
    async containerStatus(containerId) {
      return mapping.containerStatus((await rpc.containerStatus({ containerId })).status!);
    },
    async updateContainerResources(containerId, resources) {
      await rpc.updateContainerResources({ containerId, linux: mapping.linuxResources(resources) });
    },
    async reopenContainerLog(containerId) {
      await rpc.reopenContainerLog({ containerId });
    },
    async containerStats(filter = {}) {
      const answer = await rpc.containerStats({
        filter: {
          id: filter.id ?? '',
          podSandboxId: filter.sandboxId ?? '',
          labelSelector: { ...filter.labels },
        },
      });
      return answer.stats.map(mapping.containerStats);
    },

    async execSync(containerId, command, timeoutMs) {
      const seconds = Math.ceil(timeoutMs / 1000);
      const answer = await rpc.execSync(
        { containerId, cmd: [...command], timeout: BigInt(seconds) },
        // Ours is only a net below the runtime's own limit.
        { timeoutMs: seconds === 0 ? 0 : seconds * 1000 + 5_000 },
      );
      return {
        stdout: Buffer.from(answer.stdout),
        stderr: Buffer.from(answer.stderr),
        exitCode: answer.exitCode,
      };
    },
    async exec({ containerId, command, tty, stdin, stdout, stderr }) {
      return (await rpc.exec({ containerId, cmd: [...command], tty, stdin, stdout, stderr })).url;
    },
    async attach({ containerId, tty, stdin, stdout, stderr }) {
      return (await rpc.attach({ containerId, tty, stdin, stdout, stderr })).url;
    },
    async sandboxPid(podSandboxId) {
      const { info } = await rpc.podSandboxStatus({ podSandboxId, verbose: true });
      return mapping.processOf(info);
    },

    async imageStatus(name) {
      const answer = await rpc.imageStatus({ image: { image: name } });
      return answer.image === undefined ? undefined : mapping.imageInfo(answer.image);
    },
    async pullImage(name, auth?: RegistryAuth, signal?: AbortSignal) {
      const answer = await rpc.pullImage(
        { image: { image: name }, ...(auth !== undefined && { auth: mapping.registryAuth(auth) }) },
        { signal },
      );
      return answer.imageRef;
    },
    async listImages() {
      return (await rpc.listImages({})).images.map(mapping.imageInfo);
    },
    async removeImage(name) {
      await rpc.removeImage({ image: { image: name } }).catch(ignoreNotFound);
    },
    async imageFsInfo() {
      return (await rpc.imageFsInfo({})).imageFilesystems.map(mapping.filesystemUsage);
    },

    watchExits(onExit, signal) {
      return channel.follow(
        '/containerd.services.events.v1.Events/Subscribe',
        toBinary(
          events.SubscribeRequestSchema,
          create(events.SubscribeRequestSchema, { filters: ['topic=="/tasks/exit",namespace=="k8s.io"'] }),
        ),
        {
          signal,
          onMessage(bytes) {
            const envelope = fromBinary(events.EnvelopeSchema, bytes);
            if (envelope.topic !== '/tasks/exit' || envelope.event === undefined) return;
            const exit = fromBinary(events.TaskExitSchema, envelope.event.value);
            // An exec in the container has an id of its own.
            if (exit.id === exit.containerId) onExit(exit.containerId);
          },
        },
      );
    },
    close: () => channel.close(),
  };
}
