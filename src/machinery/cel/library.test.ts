// What Kubernetes' documentation says of its functions, one line each.
import { describe, expect, test } from 'vitest';
import { compileIn, newEnvironment } from './environment.ts';

const environment = newEnvironment().registerVariable('value', 'dyn');
const value = new Map<string, unknown>([
  ['list', [1n, 2n, 3n]],
  ['map', new Map([['a', 'x']])],
  ['items', [new Map([['name', 'p']])]],
  ['nothing', null],
]);

function outcome(text: string): unknown {
  const compiled = compileIn(environment, text, []);
  if (!compiled.ok) throw new Error(compiled.error);
  return compiled.value.evaluate({ value });
}

describe('holds', () => {
  test.each([
    // has() of whatever ends in a field
    'has(value.items[0].name) && !has(value.items[0].other)',
    'has(value.?gone.name) == false && has(value.?map.a)',
    '!has({"a": 1}.b)',
    // conversions
    'timestamp(timestamp("2026-01-01T00:00:00Z")) == timestamp("2026-01-01T00:00:00Z")',
    'duration(duration("90s")) == duration("90s") && int(duration("2us")) == 2000',
    'string(timestamp("2026-01-01T00:00:10Z")) == "2026-01-01T00:00:10Z"',
    'string(timestamp("2026-01-01T00:00:00.50Z")) == "2026-01-01T00:00:00.5Z"',
    'string(duration("1m30s")) == "90s" && string(duration("-1500ms")) == "-1.5s"',
    'int(timestamp("1970-01-01T00:01:00Z")) == 60 && int(7u) == 7',
    // optionals
    'value.?map.?a.optMap(v, v + "y") == optional.of("xy")',
    'value.?gone.optMap(v, v + "y") == optional.none()',
    'value.?map.optFlatMap(m, m.?a).orValue("") == "x" && value.?map.optFlatMap(m, m.?b).orValue("") == ""',
    'optional.ofNonZeroValue("") == optional.none() && optional.ofNonZeroValue(1).value() == 1',
    // two variables
    'value.list.all(i, v, i + 1 == v) && !value.list.all(i, v, i == v)',
    'value.map.exists(k, v, k == "a" && v == "x") && !value.map.exists(k, v, k == v)',
    'value.list.existsOne(i, v, v > 2)',
    'value.list.transformList(i, v, i * v) == [0, 2, 6]',
    'value.list.transformList(i, v, i > 0, v) == [2, 3]',
    'value.map.transformMap(k, v, k + v) == {"a": "ax"}',
    'value.map.transformMapEntry(k, v, {v: k}) == {"x": "a"}',
    'value.list.exists(i, v, v / i == 1 || v == 1)',
    // addresses
    "ip('127.0.0.1').family() == 4 && ip('::1').family() == 6 && isIP('::1') && !isIP('010.0.0.1') && !isIP('a')",
    "ip.isCanonical('127.0.0.1') && !ip.isCanonical('2001:DB8::abcd')",
    "ip('127.0.0.1').isLoopback() && ip('0.0.0.0').isUnspecified() && ip('::').isUnspecified()",
    "ip('224.0.0.1').isLinkLocalMulticast() && !ip('224.0.1.1').isLinkLocalMulticast() && ip('ff02::1').isLinkLocalMulticast()",
    "ip('169.254.1.1').isLinkLocalUnicast() && ip('fe80::1').isLinkLocalUnicast()",
    "ip('192.168.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast() && !ip('ff00::1').isGlobalUnicast()",
    "ip('::1') == ip('0:0::1') && string(ip('0:0::1')) == '::1' && ip('1.1.1.1') != ip('1.1.1.2')",
    "cidr('192.168.0.0/24').containsIP('192.168.0.1') && !cidr('192.168.0.0/24').containsIP(ip('192.168.1.1'))",
    "cidr('192.168.0.0/24').containsCIDR('192.168.0.0/25') && !cidr('192.168.0.0/24').containsCIDR(cidr('192.168.0.0/23'))",
    "cidr('192.168.1.5/23').masked() == cidr('192.168.0.0/23') && string(cidr('192.168.1.5/23')) == '192.168.1.5/23'",
    "cidr('192.168.0.1/24').ip() == ip('192.168.0.1') && cidr('::1/128').prefixLength() == 128 && !isCIDR('10.0.0.0/33')",
    // formats
    "!format.dns1123Label().validate('a-b').hasValue() && format.dns1123Label().validate('A').hasValue()",
    "format.named('dns1123Label').hasValue() && !format.named('nobody').hasValue()",
    "!format.dns1123LabelPrefix().validate('my-name-').hasValue() && format.named('labelValue').value().validate('a b').value().size() == 1",
    "!format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue() && format.uuid().validate('x').hasValue()",
    "format.date().validate('2021-1').hasValue() && !format.datetime().validate('2021-01-01T00:00:00Z').hasValue()",
    "format.byte().validate('a').hasValue() && format.uri().validate('a b').hasValue() && !format.qualifiedName().validate('a/b').hasValue()",
    // versions
    "isSemver('1.0.0-rc.1+b') && !isSemver('v1.0') && isSemver('v1.0', true) && semver('v01.01', true) == semver('1.1.0')",
    "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
    "semver('1.0.0-alpha').isLessThan(semver('1.0.0')) && semver('1.0.0-2').isLessThan(semver('1.0.0-10'))",
    "semver('1.0.0-alpha.1').isGreaterThan(semver('1.0.0-alpha')) && semver('1.10.0').compareTo(semver('1.9.0')) == 1",
    "semver('1.0.0-alpha').isLessThan(semver('1.0.0-beta')) && semver('1.0.0-1').isLessThan(semver('1.0.0-a'))",
    // images
    `image('nginx').registry() == 'index.docker.io' && image('nginx').repository() == 'library/nginx' && image('nginx').tag() == 'latest'`,
    `image('registry.k8s.io:5000/a/b:c').registry() == 'registry.k8s.io:5000' && image('registry.k8s.io:5000/a/b:c').repository() == 'a/b' && image('localhost/aa:c').identifier() == 'c'`,
    `image('example.com/a/b:c@sha256:${'ab'.repeat(32)}').digest() == 'sha256:${'ab'.repeat(32)}' && image('bb@sha256:${'ab'.repeat(32)}').containsDigest() && !image('bb').containsDigest()`,
    `!isImage('registry.k8s.io//a') && !isImage('UP') && !isImage('') && !isImage('aa@sha256:1') && isImage('docker.io/a/b')`,
    // the rest
    "url('https://a/b?x=1&x=2&y=3').getQuery() == {'x': ['1', '2'], 'y': ['3']}",
    "quantity('1Gi') == quantity('1024Mi') && quantity('1') != quantity('2')",
    `strings.quote('a"\\n') == '"a\\\\"\\\\n"'`,
    "'a,b'.split(',').join('-') == 'a-b' && ' A '.trim().lowerAscii() == 'a' && 'tacocat'.substring(4) == 'cat'",
    'value.nothing == null && !has(value.nothing.a)',
  ])('%s', (text) => expect(outcome(text)).toBe(true));
});

test.each([
  ["ip('a')", 'IP Address "a" parse error during conversion from string'],
  ["cidr('10.0.0.0')", 'network address parse error during conversion from string: "10.0.0.0"'],
  ["image('A')", 'could not parse reference: A'],
  ["semver('1')", 'semver parse error during conversion from string: "1"'],
  ['value.gone', 'no such key: gone'],
  ['value.list[3]', 'index out of bounds: 3'],
  ['value.list.all(i, v, v / i > 0)', 'division by zero'],
])('%s fails: %s', (text, why) => expect(() => outcome(text)).toThrow(why));

test.each([
  ['value.a +', "ERROR: <input>:1:10: Syntax error: mismatched input '<EOF>' expecting {"],
  [
    'value.a == nobody',
    "ERROR: <input>:1:12: undeclared reference to 'nobody' (in container '')\n | value.a == nobody\n | ...........^",
  ],
  [
    'true &&\n  size(1) == 1',
    "ERROR: <input>:2:7: found no matching overload for 'size' applied to '(int)'\n |   size(1) == 1\n | ......^",
  ],
  ["1 + 'a' == 2", "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'"],
  ["'a'.shout()", "ERROR: <input>:1:10: undeclared reference to 'shout' (in container '')"],
  [
    "'a'.matches(1)",
    "ERROR: <input>:1:12: found no matching overload for 'matches' applied to 'string.(int)'",
  ],
  ['1.b', "type 'int' does not support field selection"],
  ["'a' ? 1 : 2", "expected type 'bool' but found 'string'"],
  ["'a'.matches('(')", 'invalid matches argument'],
  ['has(value)', 'invalid argument to has() macro'],
])('%s does not compile', (text, why) => {
  const compiled = compileIn(environment, text, []);
  expect(compiled.ok ? '' : compiled.error).toContain(why);
});
