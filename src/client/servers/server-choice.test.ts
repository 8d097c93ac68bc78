// Who is taken, by a table; and what no answers whatever may lead to.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { planServerChoice, type ServerHealth } from './server-choice.ts';

const parse = (text: string) =>
  text.split(' ').map((part) => {
    const [server = '', health] = part.split(':');
    return { server, health: health as ServerHealth };
  });

it.each<[string, string | undefined, 'patient' | 'not', string | undefined]>([
  // The one in use stays when it is well.
  ['b:ready a:ready', 'a', 'not', 'a'],
  // It has some time to say so.
  ['a:asked b:ready', 'a', 'patient', undefined],
  ['a:asked b:ready', 'a', 'not', 'b'],
  // What it says otherwise is enough.
  ['a:gone b:ready', 'a', 'patient', 'b'],
  ['a:alive b:ready', 'a', 'patient', 'b'],
  ['a:silent b:ready', 'a', 'patient', 'b'],
  // None is in use: the first that answered.
  ['a:asked c:ready b:ready', undefined, 'patient', 'c'],
  // There may be better ones.
  ['a:alive b:asked', 'a', 'not', undefined],
  ['a:gone b:asked', undefined, 'not', undefined],
  // There are none.
  ['b:alive a:alive', 'a', 'not', 'a'],
  ['a:silent b:alive', 'a', 'not', 'b'],
  ['b:silent a:silent', 'a', 'not', 'a'],
  ['a:gone b:silent', 'a', 'not', 'b'],
  ['a:gone b:gone', 'a', 'not', 'none'],
])('%s, in use %s, %s: %s', (asked, current, how, wanted) => {
  const chosen = planServerChoice(parse(asked), current, { isPatient: how === 'patient' });
  expect(typeof chosen === 'object' ? chosen.server : chosen).toBe(wanted);
});

it('leaves no server that works, takes none that is gone, and always ends', () => {
  const health = fc.constantFrom<ServerHealth[]>('asked', 'ready', 'alive', 'silent', 'gone');
  const some = fc.array(health, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(some, fc.nat(6), fc.boolean(), (healths, at, isPatient) => {
      const asked = healths.map((is, index) => ({ server: `s${index}`, health: is }));
      const current = `s${at}`;
      const chosen = planServerChoice(asked, current, { isPatient });
      const own = asked[at];
      if (chosen === undefined) {
        expect(healths).toContain('asked');
        return;
      }
      if (chosen === 'none') {
        expect(healths.every((is) => is === 'gone')).toBe(true);
        return;
      }
      expect(['asked', 'gone']).not.toContain(chosen.health);
      if (own !== undefined && own.health === 'ready') expect(chosen).toBe(own);
      if (chosen !== own && own !== undefined && own.health === chosen.health) expect.fail('it was as good');
      if (healths.includes('ready')) expect(chosen.health).toBe('ready');
    }),
  );
});
