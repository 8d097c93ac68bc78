import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { schedulerConfiguration } from './scheduler-configuration.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'scheduler-config-'));
});
afterEach(() => rmSync(dir, { recursive: true }));
const read = (text: string) => {
  writeFileSync(join(dir, 'c.yaml'), text);
  return schedulerConfiguration(join(dir, 'c.yaml'));
};
const head = 'apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n';

test('no file is no configuration', async () => {
  expect(await schedulerConfiguration(undefined)).toBeUndefined();
});

test('a file with profiles', async () => {
  const found = await read(`${head}profiles:\n- schedulerName: a\n- schedulerName: b\n`);
  expect(found?.profiles.map(({ schedulerName }) => schedulerName)).toEqual(['a', 'b']);
});

test.each([
  [`${head}profiles: [{schedulerName: a, colour: red}]\n`, 'c.yaml: profiles[0].colour: unknown field'],
  ['a: [', 'c.yaml: it is not YAML: '],
])('refuses %j', async (text, message) => {
  await expect(read(text)).rejects.toThrow(message);
});

test('a file that is not there', async () => {
  await expect(schedulerConfiguration(join(dir, 'x'))).rejects.toMatchObject({ code: 'ENOENT' });
});
