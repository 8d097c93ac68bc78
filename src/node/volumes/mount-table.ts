// What is mounted in this process's view.
import * as fs from 'node:fs/promises';

export async function mountPoints(): Promise<string[]> {
  const text = await fs.readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((at) =>
      at.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

export const isMountPoint = async (dir: string): Promise<boolean> => (await mountPoints()).includes(dir);

/** Deepest first, so that they can be unmounted in that order. */
export async function mountsBelow(dir: string): Promise<string[]> {
  const all = await mountPoints();
  return all.filter((at) => at.startsWith(`${dir}/`)).sort((a, b) => b.length - a.length);
}
