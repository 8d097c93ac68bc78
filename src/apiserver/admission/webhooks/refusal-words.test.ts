import { expect, it } from 'vitest';
import { refusalWords } from './refusal-words.ts';

it.each([
  [404, 'page not found', 'the server could not find the requested resource'],
  [403, 'no\n', 'no'],
  [403, '', 'the server does not allow access to the requested resource'],
  [500, 'oh\n', 'an error on the server ("oh") has prevented the request from succeeding'],
  [502, '', 'an error on the server ("unknown") has prevented the request from succeeding'],
  [503, 'later', 'the server is currently unable to handle the request'],
  [302, '', 'the server responded with the status code 302 but did not return more information'],
])('%i %j', (status, body, said) => expect(refusalWords(status, body)).toBe(said));
