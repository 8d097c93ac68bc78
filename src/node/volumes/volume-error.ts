// Why a volume cannot be had now, in the kubelet's words.

/** Of what the kubelet does with a volume; its events begin with it. */
export type MountStage =
  | 'MountVolume.SetUp'
  | 'MountVolume.NewMounter initialization'
  | 'MountVolume.NodeAffinity check'
  /** It is not known what to mount. */
  | 'process';

/** A volume cannot be set up (now). The message is for the FailedMount event. */
export class VolumeError extends Error {
  readonly stage: MountStage;

  constructor(message: string, stage: MountStage = 'MountVolume.SetUp') {
    super(message);
    this.name = 'VolumeError';
    this.stage = stage;
  }
}

/** The text of the event. `volume` is its name in the pod, `source` that of the PersistentVolume where there is one. Pure. */
export function failedMount(error: unknown, { volume, source }: { volume: string; source: string }): string {
  const why = error instanceof Error ? error.message : String(error);
  const stage = error instanceof VolumeError ? error.stage : 'MountVolume.SetUp';
  return stage === 'process'
    ? `Unable to attach or mount volumes: unmounted volumes=[${volume}], unattached volumes=[], failed to process volumes=[${volume}]: ${why}`
    : `${stage} failed for volume "${source}" : ${why}`;
}
