// Writes the block of ARCHITECTURE.md that shows the layers, from tools/layers.ts: `node --import tsx tools/architecture.ts`.
// `npm run lint` fails when the block is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { layers } from './layers.ts';

const begin = '<!-- layers: made by tools/architecture.ts from tools/layers.ts -->';
const end = '<!-- /layers -->';

/** How far a folder is from the bottom: 0 imports nothing. */
function depths(table: Readonly<Record<string, readonly string[]>>): Map<string, number> {
  const depth = new Map<string, number>();
  const of = (folder: string): number => {
    const known = depth.get(folder);
    if (known !== undefined) return known;
    const below = table[folder] ?? [];
    const value = below.includes('*') ? Number.POSITIVE_INFINITY : 1 + Math.max(-1, ...below.map(of));
    depth.set(folder, value);
    return value;
  };
  for (const folder of Object.keys(table)) of(folder);
  return depth;
}

/** The whole block, markers included. */
export function renderLayers(table: Readonly<Record<string, readonly string[]>>): string {
  const depth = depths(table);
  const floors = new Map<number, string[]>();
  for (const folder of Object.keys(table)) {
    const floor = depth.get(folder)!;
    const there = floors.get(floor);
    if (there === undefined) floors.set(floor, [folder]);
    else there.push(folder);
  }
  const drawn = [...floors]
    .sort(([a], [b]) => b - a)
    .map(([, folders]) => '  ' + folders.join('   '))
    .join('\n');
  const rows = Object.entries(table).map(([folder, below]) => {
    const imports = below.includes('*') ? 'all' : below.length === 0 ? 'nothing' : below.join(', ');
    return [folder, imports] as const;
  });
  // Padded as the formatter pads tables.
  const cells = [['folder', 'imports'], ...rows.map(([folder, imports]) => [`\`${folder}\``, imports])];
  const widths = [0, 1].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  const drawnTable = cells.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`,
  );
  drawnTable.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return [
    begin,
    '',
    'Each floor imports only from floors below it:',
    '',
    '```text',
    drawn,
    '```',
    '',
    ...drawnTable,
    '',
    end,
  ].join('\n');
}

/** `document` with its block made anew; undefined when it has none. */
export function withLayers(document: string): string | undefined {
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) return undefined;
  return document.slice(0, from) + renderLayers(layers) + document.slice(to + end.length);
}

export const architectureFile = fileURLToPath(new URL('../ARCHITECTURE.md', import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = withLayers(readFileSync(architectureFile, 'utf8'));
  if (made === undefined) {
    console.error(`ARCHITECTURE.md lacks the lines "${begin}" and "${end}"`);
    process.exit(1);
  }
  writeFileSync(architectureFile, made);
}
