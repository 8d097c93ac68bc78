// For whom a node may ask for tokens: for those that volumes of the very pod name, by a projection or by the CSI driver behind them, and
// for those that a role allows it. So a node that was taken over gets no tokens for services that none of its pods speaks to. What
// Kubernetes calls ServiceAccountNodeAudienceRestriction (on since 1.33), a part of its NodeRestriction; with its words.
import { CSIDriver, PersistentVolume, PersistentVolumeClaim, type Pod } from '../../api/index.ts';
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import type { Authorize } from '../auth/authorize.ts';
import type { UserInfo } from '../registry/context.ts';
import { keyFor, objectOf } from '../registry/objects.ts';

export const audienceVerb = 'request-serviceaccounts-token-audience';

export interface AudienceQuestion {
  readonly user: UserInfo;
  readonly namespace: string;
  readonly account: string;
  readonly pod: Pod;
  /** As they were asked for; none = those of this server. */
  readonly audiences: readonly string[];
}

/** Why a node may not have such a token, or undefined. */
export function whyNotAudience(
  { user, namespace, account, pod, audiences }: AudienceQuestion,
  { store, authorize }: { readonly store: Store; readonly authorize: Authorize },
): string | undefined {
  if (audiences.length > 1) return 'node may only request 0 or 1 audiences';
  const [audience = ''] = audiences;
  const found = lookInVolumes(pod, audience, store);
  if (found === true) return undefined;
  if (found.length > 0)
    return `error validating audience ${JSON.stringify(audience)}: ${found.length > 1 ? `[${found.join(', ')}]` : found[0]}`;
  const refused = authorize({
    user,
    verb: audienceVerb,
    group: '',
    version: 'v1',
    // So that a rule may name several, or all.
    resource: audience,
    subresource: '',
    namespace,
    name: account,
    path: '',
  });
  return refused === undefined
    ? undefined
    : `audience ${JSON.stringify(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`;
}

/** true = a volume names it; else what kept us from looking at some, without doubles. */
function lookInVolumes(pod: Pod, audience: string, store: Store): true | readonly string[] {
  const problems = new Set<string>();
  for (const volume of pod.spec.volumes ?? []) {
    const isProjected = volume.projected?.sources?.some(
      ({ serviceAccountToken }) =>
        serviceAccountToken !== undefined && (serviceAccountToken.audience ?? '') === audience,
    );
    if (isProjected) return true;
    try {
      const driver = driverOf(pod, volume, store);
      if (driver !== undefined && hasAudience(driver, audience, store)) return true;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      problems.add(error.message);
    }
  }
  return [...problems];
}

type Volume = NonNullable<Pod['spec']['volumes']>[number];

/** The CSI driver that serves a volume; undefined = none does. Throws Missing. */
function driverOf(pod: Pod, volume: Volume, store: Store): string | undefined {
  if (volume.csi !== undefined) return volume.csi.driver;
  const claimName =
    volume.ephemeral?.volumeClaimTemplate !== undefined
      ? `${pod.metadata.name}-${volume.name}`
      : volume.persistentVolumeClaim?.claimName;
  if (claimName === undefined) return undefined;
  const claim = read(store, PersistentVolumeClaim, { namespace: pod.metadata.namespace, name: claimName });
  const name = claim.spec?.volumeName;
  // Not bound yet: there is no driver that could ask.
  if (!name) return undefined;
  return read(store, PersistentVolume, { namespace: undefined, name }).spec?.csi?.driver;
}

function hasAudience(driver: string, audience: string, store: Store): boolean {
  const { spec } = read(store, CSIDriver, { namespace: undefined, name: driver });
  return spec.tokenRequests?.some((request) => request.audience === audience) ?? false;
}

class Missing extends Error {}

function read<T extends KubeObject>(
  store: Store,
  kind: KindDef<T>,
  { namespace, name }: { readonly namespace: string | undefined; readonly name: string },
): T {
  const entry = store.get(keyFor(kind as unknown as KindDef, namespace, name));
  if (entry === undefined) throw new Missing(`${missingName(kind)} ${JSON.stringify(name)} not found`);
  return objectOf<T>(entry);
}

const missingName = ({ group, kind }: Pick<KindDef, 'group' | 'kind'>): string =>
  group === '' ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`;
