// Kubernetes' libraries of named formats and of semantic versions.
import { type Environment, Optional } from '@marcbachmann/cel-js';
import { isOfFormat } from '../structural/formats.ts';
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
} from '../validation/names.ts';

type Check = (text: string) => readonly string[];

class CelFormat {
  readonly name: string;
  readonly check: Check;
  constructor(name: string, check: Check) {
    this.name = name;
    this.check = check;
  }
}

class FormatNamespace {}

/** Names made by the server get something after the dash. */
const prefix =
  (check: Check): Check =>
  (text) =>
    check(text.replace(/-$/, 'a'));

const ofFormat =
  (format: string, fault: string): Check =>
  (text) =>
    isOfFormat(text, format) ? [] : [fault];

const formats: Readonly<Record<string, CelFormat>> = Object.fromEntries(
  Object.entries<Check>({
    dns1123Label: checkDns1123Label,
    dns1123Subdomain: checkDns1123Subdomain,
    dns1035Label: checkDns1035Label,
    qualifiedName: checkQualifiedName,
    dns1123LabelPrefix: prefix(checkDns1123Label),
    dns1123SubdomainPrefix: prefix(checkDns1123Subdomain),
    dns1035LabelPrefix: prefix(checkDns1035Label),
    labelValue: checkLabelValue,
    uri: (text) => (text.startsWith('/') || isOfFormat(text, 'uri') ? [] : ['invalid URI']),
    uuid: ofFormat('uuid', 'does not match the UUID format'),
    byte: ofFormat('byte', 'invalid base64'),
    date: ofFormat('date', 'invalid date'),
    datetime: ofFormat('datetime', 'invalid datetime'),
  }).map(([name, check]) => [name, new CelFormat(name, check)]),
);

interface SemverParts {
  readonly core: readonly [bigint, bigint, bigint];
  readonly pre: readonly string[];
}

class CelSemver {
  readonly parts: SemverParts;
  constructor(parts: SemverParts) {
    this.parts = parts;
  }
}

const semverForm =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/;

function parseSemver(text: string): SemverParts | undefined {
  const found = semverForm.exec(text);
  if (found === null) return undefined;
  return {
    core: [BigInt(found[1]!), BigInt(found[2]!), BigInt(found[3]!)],
    pre: found[4]?.split('.') ?? [],
  };
}

/** `v1.2` becomes `1.2.0`, `01.02.03` becomes `1.2.3`. */
function normalSemver(text: string): string {
  const [, numbers = '', rest = ''] = /^v?([^-+]*)(.*)$/s.exec(text) ?? [];
  const parts = numbers.split('.').map((part) => part.replace(/^0+(?=\d)/, ''));
  // Only whole versions have something after them.
  while (parts.length < 3 && rest === '') parts.push('0');
  return parts.join('.') + rest;
}

/** A version as expressions see it; throws for what is none. */
export function toSemver(text: string, normalize = false): CelSemver {
  const parts = parseSemver(normalize ? normalSemver(text) : text);
  if (parts === undefined)
    throw new Error(`semver parse error during conversion from string: ${JSON.stringify(text)}`);
  return new CelSemver(parts);
}

const order = (a: bigint | number | string, b: typeof a): number => (a < b ? -1 : a > b ? 1 : 0);

/** Below 0, 0 or above it, as semver.org orders versions. */
function compareSemver({ parts: a }: CelSemver, { parts: b }: CelSemver): number {
  for (const i of [0, 1, 2] as const) if (a.core[i] !== b.core[i]) return order(a.core[i], b.core[i]);
  if (a.pre.length === 0 || b.pre.length === 0)
    return order(b.pre.length, a.pre.length) && (a.pre.length === 0 ? 1 : -1);
  for (const [i, one] of a.pre.entries()) {
    const other = b.pre[i];
    if (other === undefined) return 1;
    if (one === other) continue;
    const [isNumber, otherIs] = [/^\d+$/.test(one), /^\d+$/.test(other)];
    if (isNumber !== otherIs) return isNumber ? -1 : 1;
    return isNumber ? order(BigInt(one), BigInt(other)) : order(one, other);
  }
  return a.pre.length - b.pre.length;
}

// biome-ignore lint/suspicious/noExplicitAny: the signature beside it says what each takes
type Handler = (...args: any[]) => unknown;

const functions: Readonly<Record<string, Handler>> = {
  ...Object.fromEntries(
    Object.values(formats).map((format) => [`FormatNamespace.${format.name}(): Format`, () => format]),
  ),
  'FormatNamespace.named(string): optional<Format>': (_: FormatNamespace, name: string) =>
    Object.hasOwn(formats, name) ? Optional.of(formats[name]!) : Optional.none(),
  'Format.validate(string): optional<list<string>>': ({ check }: CelFormat, text: string) => {
    const faults = check(text);
    return faults.length === 0 ? Optional.none() : Optional.of([...faults]);
  },
  'isSemver(string): bool': (text: string) => parseSemver(text) !== undefined,
  'isSemver(string, bool): bool': (text: string, normalize: boolean) =>
    parseSemver(normalize ? normalSemver(text) : text) !== undefined,
  'semver(string): Semver': (text: string) => toSemver(text),
  'semver(string, bool): Semver': toSemver,
  'Semver.major(): int': ({ parts }: CelSemver) => parts.core[0],
  'Semver.minor(): int': ({ parts }: CelSemver) => parts.core[1],
  'Semver.patch(): int': ({ parts }: CelSemver) => parts.core[2],
  'Semver.isLessThan(Semver): bool': (a: CelSemver, b: CelSemver) => compareSemver(a, b) < 0,
  'Semver.isGreaterThan(Semver): bool': (a: CelSemver, b: CelSemver) => compareSemver(a, b) > 0,
  'Semver.compareTo(Semver): int': (a: CelSemver, b: CelSemver) => BigInt(Math.sign(compareSemver(a, b))),
};

export function addFormats(environment: Environment): Environment {
  environment.registerType('Format', CelFormat);
  environment.registerType('FormatNamespace', FormatNamespace);
  environment.registerConstant('format', 'FormatNamespace', new FormatNamespace());
  environment.registerType('Semver', CelSemver);
  for (const [signature, handler] of Object.entries(functions))
    environment.registerFunction(signature, handler, { async: false } as never);
  environment.registerOperator('Format == Format', (a: CelFormat, b: CelFormat) => a === b);
  environment.registerOperator('Semver == Semver', (a: CelSemver, b: CelSemver) => compareSemver(a, b) === 0);
  return environment;
}
