import { beforeEach, expect, it, vi } from 'vitest';
import { readAnswer } from './client';

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
});

it('keeps the data and the errors of its broken parts', () => {
  const answer = readAnswer(200, {
    data: { product: { reviews: null } },
    errors: [{ message: 'down', path: ['product', 'reviews'] }],
  });
  expect(answer).toMatchObject({ ok: true, errors: [{ path: ['product', 'reviews'] }] });
});

it('tells a token that is not taken from a request that is not', () => {
  const kindOf = (status: number, body: unknown) => {
    const answer = readAnswer(status, body);
    return answer.ok ? 'ok' : answer.failure.kind;
  };
  const coded = (code: string) => ({
    data: null,
    errors: [{ message: 'x', extensions: { code } }],
  });
  expect(kindOf(401, null)).toBe('unauthenticated');
  expect(kindOf(200, coded('UNAUTHENTICATED'))).toBe('unauthenticated');
  expect(kindOf(400, coded('GRAPHQL_VALIDATION_FAILED'))).toBe('refused');
  expect(kindOf(503, null)).toBe('unreachable');
  expect(kindOf(502, '<html>')).toBe('unreachable');
  expect(kindOf(200, null)).toBe('refused');
});
