// What kube-apiserver 1.20.2 answered to the same requests: objects read back and causes of refusals. The data hold only what
// 1.35 answers too; what is made up at each create, and fields that came or went since, are left out.
import * as fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../src/testkit/index.ts';

type Json = Record<string, unknown>;
interface Created {
  path: string;
  create: Json & { kind: string; metadata: { name: string } };
  answer: Json;
}
/** The manifest of that kind and name, with `value` at `at` (nothing there when there is no value). */
interface Refused {
  refuse: string;
  at: (string | number)[];
  value?: unknown;
  causes: string[];
}

const lines: (Created | Refused)[] = fs
  .readFileSync(new URL('./kube-apiserver-1.20-answers.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));
const created = lines.filter((line) => 'create' in line);
const refused = lines.filter((line) => 'refuse' in line);
const nameOf = ({ create }: Created): string => `${create.kind}/${create.metadata.name}`;

function changed(manifest: Json, { at, value }: Refused): Json {
  const copy = structuredClone(manifest);
  const last = at.at(-1)!;
  const holder = at.slice(0, -1).reduce<unknown>((o, step) => (o as Json)[step], copy) as Json;
  if (value !== undefined) holder[last] = value;
  else if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else delete holder[last];
  return copy;
}

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
  for (const { path } of created) {
    const namespace = /\/namespaces\/([^/]+)\//.exec(path)?.[1];
    if (namespace === undefined) continue;
    await f.ask('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
    // That one gave its pods no tokens.
    await f.ask('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      body: { metadata: { name: 'default' }, automountServiceAccountToken: false },
    });
  }
});
afterAll(() => f.close());

describe('is read back', () => {
  it.each(created.map((line) => [nameOf(line), line] as const))('%s', async (_, { path, create, answer }) => {
    const told = await f.ask('POST', `${path}?dryRun=All`, { body: create });
    expect(told).toMatchObject({ code: 201, json: answer });
  });
});

describe('is refused', () => {
  it.each(refused.map((line) => [line.refuse, line.at.join('.'), line.value, line] as const))(
    '%s with %s = %j',
    async (manifest, _, __, line) => {
      const { path, create } = created.find((one) => nameOf(one) === manifest)!;
      const told = await f.ask('POST', `${path}?dryRun=All`, { body: changed(create, line) });
      const causes: { field: string; message: string }[] = told.json.details?.causes ?? [];
      expect([told.code, causes.map(({ field, message }) => `${field}: ${message}`)]).toEqual([
        422,
        line.causes,
      ]);
    },
  );
});
