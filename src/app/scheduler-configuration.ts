// `--scheduler-config FILE`: read and checked before anything starts.
import { readFileSync } from 'node:fs';
import { loadYaml } from '../machinery/index.ts';
import { ArgumentError, readConfiguration, type SchedulerConfiguration } from '../scheduler/index.ts';

/** The file is wrong; the message names it. */
export class SchedulerConfigurationError extends Error {}

/** undefined = no file was named: kube-scheduler's defaults. Rejects with the system's error when it cannot be read. */
export async function schedulerConfiguration(
  file: string | undefined,
): Promise<SchedulerConfiguration | undefined> {
  if (file === undefined) return undefined;
  const text = readFileSync(file, 'utf8');
  const parsed = (await loadYaml()).parseYaml(text);
  if (!parsed.ok) throw new SchedulerConfigurationError(`${file}: it is not YAML: ${parsed.error}`);
  try {
    return readConfiguration(parsed.value);
  } catch (cause) {
    if (!(cause instanceof ArgumentError)) throw cause;
    throw new SchedulerConfigurationError(`${file}: ${cause.message}`, { cause });
  }
}
