// The textual forms Kubernetes allows for names, keys, ports and paths. Each check returns its complaints, worded as
// apimachinery words them, because users and clients read them; an empty list means the value is fine.

const none: readonly string[] = [];

const byteLength = (text: string): number => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text);
  return text.length;
};

export const maxLengthMessage = (bytes: number): string => `must be no more than ${bytes} bytes`;
export const emptyMessage = 'must be non-empty';
export const inclusiveRangeMessage = (low: number, high: number): string =>
  `must be between ${low} and ${high}, inclusive`;
export const nonNegativeMessage = 'must be greater than or equal to 0';
export const immutableMessage = 'field is immutable';

/** A complaint that shows the pattern: `… (e.g. 'a',  or 'b', regex used for validation is '…')`. */
export function patternMessage(message: string, pattern: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  const shown = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (e.g. ${shown}regex used for validation is '${pattern}')`;
}

/** One form: at most so many bytes, matching a pattern from end to end. */
interface Form {
  readonly maxBytes: number;
  readonly regex: RegExp;
  readonly message: string;
}

const form = (maxBytes: number, pattern: string, message: string, examples: readonly string[]): Form => ({
  maxBytes,
  regex: new RegExp(`^(?:${pattern})$`),
  message: patternMessage(message, pattern, ...examples),
});

function check(value: string, wanted: Form): readonly string[] {
  const tooLong = value.length * 3 > wanted.maxBytes && byteLength(value) > wanted.maxBytes;
  const matches = wanted.regex.test(value);
  if (!tooLong && matches) return none;
  const out: string[] = [];
  if (tooLong) out.push(maxLengthMessage(wanted.maxBytes));
  if (!matches) out.push(wanted.message);
  return out;
}

const labelPattern = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const labelForm = form(
  63,
  labelPattern,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  ['my-name', '123-abc'],
);
const subdomainPattern = `${labelPattern}(\\.${labelPattern})*`;
const subdomainForm = form(
  253,
  subdomainPattern,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  ['example.com'],
);
const underscoreLabelPattern = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const underscoreSubdomainForm = form(
  253,
  `${underscoreLabelPattern}(\\.${underscoreLabelPattern})*`,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  ['example.com'],
);
const wildcardForm = form(
  253,
  `\\*\\.${subdomainPattern}`,
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  ['*.example.com'],
);
const dns1035Form = form(
  63,
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  ['my-name', 'abc-123'],
);

/** A label of a DNS name by RFC 1123: `my-name`. */
export function checkDns1123Label(value: string): readonly string[] {
  const found = check(value, labelForm);
  if (found.length === 0 || labelForm.regex.test(value) || !subdomainForm.regex.test(value)) return found;
  return [...found.slice(0, -1), 'must not contain dots'];
}

/** A DNS name by RFC 1123: `example.com`. */
export const checkDns1123Subdomain = (value: string): readonly string[] => check(value, subdomainForm);

/** The same, where a label may hold underscores: `_sip._tcp.example.com`. */
export const checkDns1123SubdomainWithUnderscore = (value: string): readonly string[] =>
  check(value, underscoreSubdomainForm);

/** `*.example.com`. */
export const checkWildcardDns1123Subdomain = (value: string): readonly string[] => check(value, wildcardForm);

/** A label by RFC 1035, which starts with a letter. */
export const checkDns1035Label = (value: string): readonly string[] => check(value, dns1035Form);

const qualifiedForm = form(
  63,
  '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]',
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ['MyName', 'my.name', '123-abc'],
);

/** A qualified name, which is the form of label keys, annotation keys, resource names and finalizers: `example.com/My.name`. */
export function checkQualifiedName(value: string): readonly string[] {
  const slash = value.indexOf('/');
  if (slash >= 0 && value.indexOf('/', slash + 1) >= 0)
    return [
      `a valid label key ${qualifiedForm.message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const out: string[] = [];
  if (slash === 0) out.push(`prefix part ${emptyMessage}`);
  else if (slash > 0)
    for (const message of checkDns1123Subdomain(value.slice(0, slash))) out.push(`prefix part ${message}`);
  const name = value.slice(slash + 1);
  if (name === '') out.push(`name part ${emptyMessage}`);
  for (const message of check(name, qualifiedForm)) out.push(`name part ${message}`);
  return out.length === 0 ? none : out;
}

export const checkLabelKey = checkQualifiedName;

const labelValueForm = form(
  63,
  '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?',
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ['MyValue', 'my_value', '12345'],
);
export const checkLabelValue = (value: string): readonly string[] => check(value, labelValueForm);

/** Annotation keys follow the label keys' rule, without regard to case. */
export const checkAnnotationKey = (value: string): readonly string[] =>
  checkQualifiedName(value.toLowerCase());

export const checkFinalizerName = checkQualifiedName;

const identifierForm = form(
  Number.MAX_SAFE_INTEGER,
  '[A-Za-z_][A-Za-z0-9_]*',
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
  ['my_name', 'MY_NAME', 'MyName'],
);
export const checkCIdentifier = (value: string): readonly string[] => check(value, identifierForm);

function dotPrefix(value: string): readonly string[] {
  if (!value.startsWith('.')) return none;
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : none;
}

const strictEnvForm = form(
  Number.MAX_SAFE_INTEGER,
  '[-._a-zA-Z][-._a-zA-Z0-9]*',
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
  ['my.env-name', 'MY_ENV.NAME', 'MyEnvName1'],
);

/** The names an envFrom prefix and older clients may use. */
export const checkStrictEnvVarName = (value: string): readonly string[] => [
  ...check(value, strictEnvForm),
  ...dotPrefix(value),
];

/** The name of an environment variable: printable ASCII without `=`. */
export function checkEnvVarName(value: string): readonly string[] {
  if (value === '') return [`environment variable name ${emptyMessage}`];
  return /^[\x20-\x3c\x3e-\x7e]*$/.test(value)
    ? none
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

const configKeyForm = form(
  253,
  '[-._a-zA-Z0-9]+',
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  ['key.name', 'KEY_NAME', 'key-name'],
);

/** A key of a ConfigMap or Secret. */
export const checkConfigMapKey = (value: string): readonly string[] => [
  ...check(value, configKeyForm),
  ...dotPrefix(value),
];

const percentForm = form(
  Number.MAX_SAFE_INTEGER,
  '[0-9]+%',
  "a valid percent string must be a numeric string followed by an ending '%'",
  ['1%', '93%'],
);
export const checkPercent = (value: string): readonly string[] => check(value, percentForm);

const headerForm = form(
  Number.MAX_SAFE_INTEGER,
  '[-A-Za-z0-9]+',
  "a valid HTTP header must consist of alphanumeric characters or '-'",
  ['X-Header-Name'],
);
export const checkHttpHeaderName = (value: string): readonly string[] => check(value, headerForm);

export const checkInRange = (value: number, low: number, high: number): readonly string[] =>
  value >= low && value <= high ? none : [inclusiveRangeMessage(low, high)];

export const checkPortNumber = (value: number): readonly string[] => checkInRange(value, 1, 65535);

/** User and group ids. */
export const checkUserId = (value: number): readonly string[] => checkInRange(value, 0, 0xffff_ffff);
export const checkGroupId = checkUserId;

/** The name of a port by RFC 6335, lower case. */
export function checkPortName(value: string): readonly string[] {
  const out: string[] = [];
  if (byteLength(value) > 15) out.push(maxLengthMessage(15));
  if (!/^[-a-z0-9]+$/.test(value))
    out.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) out.push('must contain at least one letter (a-z)');
  if (value.includes('--')) out.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) out.push('must not begin or end with a hyphen');
  return out.length === 0 ? none : out;
}

/** What a path segment (and so any name in a URL) may not be or hold. */
export function checkPathSegment(value: string): readonly string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  const out: string[] = [];
  for (const part of ['/', '%']) if (value.includes(part)) out.push(`may not contain '${part}'`);
  return out.length === 0 ? none : out;
}

/** A path without a step up: no segment is `..`. */
export const checkNoBacksteps = (path: string): readonly string[] =>
  path.split('/').includes('..') ? ["must not contain '..'"] : none;

/** `/a/b`, without a step up. */
export const checkAbsolutePath = (path: string): readonly string[] =>
  path.startsWith('/') ? none : ['must be an absolute path'];

/** `a/b`: relative, and staying below where it starts. */
export const checkDescendingPath = (path: string): readonly string[] => [
  ...(path.startsWith('/') ? ['must be a relative path'] : none),
  ...checkNoBacksteps(path),
];

const httpPathPattern = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const httpPath = new RegExp(`^${httpPathPattern}$`);

/** `acme.io/foo`: a DNS subdomain, then a path. The empty string is for the caller to refuse. */
export function checkDomainPrefixedPath(value: string): readonly string[] {
  const slash = value.indexOf('/');
  if (slash <= 0 || slash === value.length - 1)
    return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  return [
    ...checkDns1123Subdomain(value.slice(0, slash)),
    ...(httpPath.test(value.slice(slash + 1)) ? none : [patternMessage('Invalid path', httpPathPattern)]),
  ];
}

/** Turns a check of whole names into the rule for names and for `generateName` prefixes, which may end in a dash. */
export function nameRule(
  checkName: (name: string) => readonly string[],
): (name: string, prefix: boolean) => readonly string[] {
  return (name, prefix) =>
    checkName(prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name);
}

export const nameIsDnsSubdomain = nameRule(checkDns1123Subdomain);
export const nameIsDnsLabel = nameRule(checkDns1123Label);
export const nameIsDns1035Label = nameRule(checkDns1035Label);
export const nameIsPathSegment = nameRule(checkPathSegment);
