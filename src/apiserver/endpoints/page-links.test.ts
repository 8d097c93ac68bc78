import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rewriteLink, rewritePage } from './page-links.ts';

const prefix = '/api/v1/namespaces/a/services/b/proxy';
const origin = { target: '10.1.2.3:80', asked: 'localhost:8001', prefix };

describe('a link', () => {
  test.each([
    ['/style.css', `${prefix}/style.css`],
    ['/', `${prefix}/`],
    ['/a?b=/c#d', `${prefix}/a?b=/c#d`],
    ['http://10.1.2.3:80/x', `${prefix}/x`],
    ['http://localhost:8001/x', `http://localhost:8001${prefix}/x`],
    [`${prefix}/x`, `${prefix}/x`],
    ['style.css', 'style.css'],
    ['?page=2', '?page=2'],
    ['#top', '#top'],
    ['', ''],
    ['http://elsewhere/x', 'http://elsewhere/x'],
    ['//elsewhere/x', '//elsewhere/x'],
    ['mailto:a@b', 'mailto:a@b'],
  ])('%s → %s', (link, expected) => {
    expect(rewriteLink(link, origin)).toBe(expected);
  });
});

describe('a page', () => {
  const marked = (page: string) => rewritePage(page, (link) => `[${link}]`);

  test.each([
    ['<a href="/x">y</a>', '<a href="[/x]">y</a>'],
    ["<A class=k HREF='/x'>", "<A class=k HREF='[/x]'>"],
    ['<img src=/x alt="/y"/>', '<img src=[/x] alt="/y"/>'],
    ['<form method="post" action = "/x" >', '<form method="post" action = "[/x]" >'],
    ['<a title="a > b" href="/x">', '<a title="a > b" href="[/x]">'],
    ['<p href="/x">', '<p href="/x">'],
    ['<!-- <a href="/x"> --><a href="/y">', '<!-- <a href="/x"> --><a href="[/y]">'],
    [
      '<script src="/x">"<a href=/y>"</script><a href="/z">',
      '<script src="[/x]">"<a href=/y>"</script><a href="[/z]">',
    ],
    ['1 < 2 <a href="/x">', '1 < 2 <a href="[/x]">'],
    ['<a href="/x', '<a href="/x'],
    ['</a href="/x"><a href>', '</a href="/x"><a href>'],
  ])('%s', (page, expected) => {
    expect(marked(page)).toBe(expected);
  });

  test('only the values change, whatever the page holds', () => {
    const piece = fc.constantFrom(
      '<a',
      ' href=',
      '"/x"',
      "'",
      '"',
      '>',
      '<!--',
      '-->',
      '<script',
      '</script',
      '/',
      't',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const page = pieces.join('');
        expect(rewritePage(page, (link) => link)).toBe(page);
      }),
    );
  });
});
