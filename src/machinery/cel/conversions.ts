// Conversions that are standard in CEL and that the evaluator lacks: of times and durations to themselves, so that a rule need not know
// whether a field has a format, and to texts and numbers.
import type { Environment } from '@marcbachmann/cel-js';

const time = 'google.protobuf.Timestamp';
const duration = 'google.protobuf.Duration';

interface CelDuration {
  readonly seconds: bigint;
  readonly nanos: number;
}

const same = <T>(value: T): T => value;

/** `90.5s`: seconds, and no more digits than there are. */
function durationText({ seconds, nanos }: CelDuration): string {
  const total = seconds * 1_000_000_000n + BigInt(nanos);
  const positive = total < 0n ? -total : total;
  const fraction = String(positive % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${total < 0n ? '-' : ''}${positive / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}s`;
}

// biome-ignore lint/suspicious/noExplicitAny: the signature beside it says what each takes
const conversions: Readonly<Record<string, (value: any) => unknown>> = {
  [`timestamp(${time}): ${time}`]: same,
  [`duration(${duration}): ${duration}`]: same,
  [`string(${time}): string`]: (value: Date) => value.toISOString().replace(/\.?0*Z$/, 'Z'),
  [`string(${duration}): string`]: durationText,
  [`int(${time}): int`]: (value: Date) => BigInt(Math.floor(value.getTime() / 1000)),
  [`int(${duration}): int`]: ({ seconds, nanos }: CelDuration) => seconds * 1_000_000_000n + BigInt(nanos),
  'int(uint): int': (value: { valueOf(): bigint }) => BigInt(value.valueOf()),
};

export function addConversions(environment: Environment): Environment {
  for (const [signature, convert] of Object.entries(conversions))
    environment.registerFunction(signature, convert, { async: false } as never);
  return environment;
}
