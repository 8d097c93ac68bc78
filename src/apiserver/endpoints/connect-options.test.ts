// The query of a connection as an options object and back.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { askingOf, connectOptions } from './connect-options.ts';

const query = (text: string) => new URLSearchParams(text);
const asking = (text: string, rest = '') => ({ query: query(text), rest });

test.each([
  [
    'PodAttachOptions',
    asking('container=c&stdin=true&tty=0&stdout=1'),
    { stdin: true, stdout: true, container: 'c' },
  ],
  ['PodExecOptions', asking('command=sh&command=-c&stderr'), { stderr: true, command: ['sh', '-c'] }],
  ['PodPortForwardOptions', asking('ports=80,81&ports=82'), { ports: [80, 81, 82] }],
  ['PodPortForwardOptions', asking(''), {}],
  ['ServiceProxyOptions', asking('path=theirs', 'a/b'), { path: 'a/b' }],
])('%s of %j', (kind, asked, wanted) => {
  expect(connectOptions(kind, asked)).toEqual({ kind, apiVersion: 'v1', ...wanted });
});

test('what admission changes is what is asked', () => {
  const asked = asking('command=sh&stdin=true&other=x');
  const options = connectOptions('PodExecOptions', asked);
  const { query: next } = askingOf({ ...options, stdin: false, command: ['ls', '/'], container: 'c' }, asked);
  expect(next.toString()).toBe('other=x&container=c&command=ls&command=%2F');
  const proxied = asking('q=1', 'a');
  expect(askingOf({ kind: 'PodProxyOptions', apiVersion: 'v1', path: 'b' }, proxied)).toEqual({
    ...proxied,
    rest: 'b',
  });
});

test('what nobody changes is asked as it was', () => {
  const word = fc.string({ minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 4 }), word, fc.boolean(), (command, container, stdin) => {
      const asked = asking('');
      for (const one of command) asked.query.append('command', one);
      asked.query.set('container', container);
      asked.query.set('stdin', String(stdin));
      const options = connectOptions('PodExecOptions', asked);
      expect(connectOptions('PodExecOptions', askingOf(options, asked))).toEqual(options);
    }),
  );
});
