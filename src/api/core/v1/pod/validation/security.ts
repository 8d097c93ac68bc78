// Rules of security contexts: who processes run as, and what confines them. Privileged containers are allowed; refusing them is
// the work of pod security admission.
import {
  checkDescendingPath,
  checkDns1123Subdomain,
  checkGroupId,
  checkUserId,
  type FieldAt,
} from '../../../../../machinery/index.ts';
import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
  WindowsSecurityContextOptions,
} from '../../../../generated/core-v1.ts';
import { usesHostUsers } from './scope.ts';

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

export function validateSecurityContext(context: SecurityContext, spec: PodSpec, field: FieldAt): void {
  validateIds(context, field);
  field.child('procMount').oneOf(context.procMount, ['Default', 'Unmasked']);
  if (context.procMount === 'Unmasked' && usesHostUsers(spec))
    field.child('procMount').invalid(context.procMount, '`hostUsers` must be false to use `Unmasked`');
  validateSeccomp(context.seccompProfile, field.child('seccompProfile'));
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true)
      field.invalid(context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true');
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true)
      field.invalid(
        context,
        'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
      );
  }
  validateWindowsOptions(context.windowsOptions, field.child('windowsOptions'));
  validateAppArmor(context.appArmorProfile, field.child('appArmorProfile'));
}

export function validatePodSecurityContext(context: PodSecurityContext, spec: PodSpec, field: FieldAt): void {
  if (context.fsGroup !== undefined)
    field.child('fsGroup').refuse(context.fsGroup, checkGroupId(context.fsGroup));
  validateIds(context, field);
  for (const [i, group] of (context.supplementalGroups ?? []).entries())
    field.child('supplementalGroups').index(i).refuse(group, checkGroupId(group));
  if (spec.shareProcessNamespace === true && spec.hostPID === true)
    field
      .child('shareProcessNamespace')
      .invalid(true, 'ShareProcessNamespace and HostPID cannot both be enabled');
  validateSysctls(context, spec, field.child('sysctls'));
  field.child('fsGroupChangePolicy').oneOf(context.fsGroupChangePolicy, ['Always', 'OnRootMismatch']);
  validateSeccomp(context.seccompProfile, field.child('seccompProfile'));
  validateWindowsOptions(context.windowsOptions, field.child('windowsOptions'));
  validateAppArmor(context.appArmorProfile, field.child('appArmorProfile'));
  field.child('supplementalGroupsPolicy').oneOf(context.supplementalGroupsPolicy, ['Merge', 'Strict']);
  field.child('seLinuxChangePolicy').oneOf(context.seLinuxChangePolicy, ['MountOption', 'Recursive']);
}

function validateIds(context: SecurityContext | PodSecurityContext, field: FieldAt): void {
  const { runAsUser, runAsGroup } = context;
  if (runAsUser !== undefined) field.child('runAsUser').refuse(runAsUser, checkUserId(runAsUser));
  if (runAsGroup !== undefined) field.child('runAsGroup').refuse(runAsGroup, checkGroupId(runAsGroup));
}

function validateSeccomp(profile: SeccompProfile | undefined, field: FieldAt): void {
  if (profile === undefined) return;
  if (profile.type === '') field.child('type').required('type is required when seccompProfile is set');
  else field.child('type').oneOf(profile.type, profileTypes);
  const local = field.child('localhostProfile');
  if (profile.type !== 'Localhost') {
    if (profile.localhostProfile !== undefined)
      local.invalid(profile, 'can only be set when seccomp type is Localhost');
  } else if (profile.localhostProfile === undefined)
    local.required('must be set when seccomp type is Localhost');
  else local.refuse(profile.localhostProfile, checkDescendingPath(profile.localhostProfile));
}

const maxProfileBytes = 4095;

/** Also used on profiles read from annotations. */
export function validateAppArmor(profile: AppArmorProfile | undefined, field: FieldAt): void {
  if (profile === undefined) return;
  const { type, localhostProfile } = profile;
  const local = field.child('localhostProfile');
  if (type === '') field.child('type').required('type is required when appArmorProfile is set');
  else if (type === 'Localhost') {
    const name = localhostProfile ?? '';
    if (name.trim() !== name) local.invalid(name, 'must not be padded with whitespace');
    else if (name === '') local.required('must be set when AppArmor type is Localhost');
    if (Buffer.byteLength(name) > maxProfileBytes) local.tooLong(maxProfileBytes);
  } else if (profileTypes.includes(type)) {
    if (localhostProfile !== undefined)
      local.invalid(localhostProfile, 'can only be set when AppArmor type is Localhost');
  } else field.child('type').notSupported(type, profileTypes);
}

const sysctlSegment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlPattern = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;
const sysctlName = new RegExp(sysctlPattern);
const maxSysctlBytes = 253;
const ipcSysctl = /^(?:kernel\.(?:shm|msg|sem$)|fs\.mqueue\.)/;

function validateSysctls(context: PodSecurityContext, spec: PodSpec, field: FieldAt): void {
  const names = new Set<string>();
  for (const [i, { name }] of (context.sysctls ?? []).entries()) {
    const here = field.index(i).child('name');
    if (name === '') here.required();
    else if (name.length > maxSysctlBytes || !sysctlName.test(name))
      here.invalid(name, `must have at most ${maxSysctlBytes} characters and match regex ${sysctlPattern}`);
    else if (names.has(name)) here.duplicate(name);
    names.add(name);
    const dotted = name.replaceAll('/', '.');
    if (spec.hostNetwork === true && dotted.startsWith('net.'))
      here.invalid(name, "may not be specified when 'hostNetwork' is true");
    else if (spec.hostIPC === true && ipcSysctl.test(dotted))
      here.invalid(name, "may not be specified when 'hostIPC' is true");
  }
}

const maxSpecKiB = 64;
const maxDomainBytes = 256;
const maxUserBytes = 104;
const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const windowsDnsLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const windowsDnsName = new RegExp(`^${windowsDnsLabel}(?:\\.${windowsDnsLabel})*$`);

function validateWindowsOptions(options: WindowsSecurityContextOptions | undefined, field: FieldAt): void {
  if (options === undefined) return;
  const { gmsaCredentialSpecName: name, gmsaCredentialSpec: spec, runAsUserName } = options;
  if (name !== undefined) field.child('gmsaCredentialSpecName').refuse(name, checkDns1123Subdomain(name));
  const specField = field.child('gmsaCredentialSpec');
  if (spec === '') specField.invalid(spec, 'gmsaCredentialSpec cannot be an empty string');
  else if (spec !== undefined && Buffer.byteLength(spec) > maxSpecKiB * 1024)
    specField.invalid(spec, `gmsaCredentialSpec size must be under ${maxSpecKiB} KiB`);
  if (runAsUserName !== undefined)
    field.child('runAsUserName').refuse(runAsUserName, checkWindowsUser(runAsUserName));
}

/** `user`, or `DOMAIN\user`. */
function checkWindowsUser(name: string): readonly string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (/[\x00-\x1f\x7f]/.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const user = parts.at(-1)!;
  const domain = parts.length === 2 ? parts[0] : undefined;
  const out: string[] = [];
  if (domain !== undefined && Buffer.byteLength(domain) >= maxDomainBytes)
    out.push(`runAsUserName's Domain length must be under ${maxDomainBytes} characters`);
  if (domain !== undefined && !netBiosName.test(domain) && !windowsDnsName.test(domain))
    out.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  if (user === '') out.push("runAsUserName's User cannot be empty");
  else if (Buffer.byteLength(user) > maxUserBytes)
    out.push(`runAsUserName's User length must not be longer than ${maxUserBytes} characters`);
  if (/^[. ]+$/.test(user)) out.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user))
    out.push('runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  return out;
}
