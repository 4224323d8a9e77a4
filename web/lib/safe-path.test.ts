import { expect, it } from 'vitest';
import { safePath } from './safe-path';

it('keeps a path of this site with its query', () => {
  expect(safePath('/checkout?step=2#pay')).toBe('/checkout?step=2#pay');
});

it('never leads to another host', () => {
  for (const wanted of [
    'https://evil.example',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    'javascript:alert(1)',
    '',
    undefined,
    ['/a'],
  ]) {
    expect(safePath(wanted, '/home')).toBe('/home');
  }
});
