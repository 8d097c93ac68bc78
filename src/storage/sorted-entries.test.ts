import { expect, test } from 'vitest';
import { seededRandom } from '../base/index.ts';
import { SortedEntries } from './sorted-entries.ts';
import { Entry } from './store.ts';

test('stays in order through many sets and deletes', () => {
  const random = seededRandom(1);
  const wire = Buffer.alloc(0);
  const sorted = new SortedEntries();
  const model = new Map<string, Entry>();
  for (let i = 0; i < 20_000; i++) {
    const key = `/a/b/ns${Math.floor(random.next() * 20)}/${Math.floor(random.next() * 300)}`;
    if (random.next() < (i < 10_000 ? 0.2 : 0.7)) {
      sorted.delete(key);
      model.delete(key);
    } else {
      const entry = new Entry(key, wire, i);
      sorted.set(entry);
      model.set(key, entry);
    }
    if (i % 1000 !== 0) continue;
    for (const prefix of ['/a/b/', '/a/b/ns1/', '/a/b/ns1', '/a/b/ns7/29', '/a/b/zz', '/a/']) {
      const want = [...model.keys()].filter((k) => k.startsWith(prefix)).sort();
      expect(sorted.under(prefix).map((e) => e.key)).toEqual(want);
    }
    expect(sorted.size).toBe(model.size);
  }
  for (const entry of sorted.under('')) expect(model.get(entry.key)).toBe(entry);
});
