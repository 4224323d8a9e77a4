import { describe, expect, it } from 'vitest';
import { byField, isBroken, isTokenRefused, readPartErrors, type Answer } from './errors';

const errors = readPartErrors([
  { message: 'down', path: ['product', 'reviews'], extensions: { code: 'SUBGRAPH_UNAVAILABLE' } },
  { message: 'down', path: ['product', 'listings', 'edges', 0, 'node'] },
  { message: 'no path' },
]);

describe('errors of a part', () => {
  it('break the part they name and what lies below it, not its neighbours', () => {
    expect(isBroken(errors, 'product.reviews')).toBe(true);
    expect(isBroken(errors, 'product.reviews.edges')).toBe(true);
    expect(isBroken(errors, 'product.rating')).toBe(false);
    expect(isBroken(errors, 'category')).toBe(false);
  });

  it('in a list break the list for the section that shows it', () => {
    expect(isBroken(errors, 'product.listings')).toBe(true);
    expect(isBroken(errors, 'product.listings.edges.*.node')).toBe(true);
  });

  it('without a path break no part', () => {
    expect(isBroken(readPartErrors([{ message: 'x' }]), 'product')).toBe(false);
  });

  it('are read from any shape without throwing', () => {
    expect(readPartErrors('nonsense')).toEqual([]);
    expect(readPartErrors([null, { message: 5, path: 'a' }])).toEqual([
      { message: 'unknown error', path: [], code: null },
      { message: 'unknown error', path: [], code: null },
    ]);
  });
});

describe('business errors', () => {
  it('go to the field they name, the first one wins, the rest to the form', () => {
    const sorted = byField(
      [
        { code: 'TAKEN', message: 'taken', field: ['input', 'email'] },
        { code: 'LONG', message: 'too long', field: ['email'] },
        { code: 'BAD', message: 'wrong', field: null },
        { code: 'ODD', message: 'odd', field: ['input', 'shoeSize'] },
      ],
      ['email', 'password'],
    );
    expect(sorted).toEqual({ form: ['wrong', 'odd'], fields: { email: 'taken' } });
  });
});

describe('a refused token', () => {
  const of = (code: string) =>
    readPartErrors([{ message: 'no', path: ['me'], extensions: { code } }]);

  it('is known by the part that a service refused, whatever the others gave', () => {
    expect(isTokenRefused({ ok: true, data: {}, errors: of('UNAUTHENTICATED') })).toBe(true);
    expect(isTokenRefused({ ok: true, data: {}, errors: of('FORBIDDEN') })).toBe(false);
    expect(isTokenRefused({ ok: true, data: {}, errors: [] })).toBe(false);
  });

  it('is known by the refusal of the whole', () => {
    const failed = (kind: 'unauthenticated' | 'unreachable'): Answer<unknown> => ({
      ok: false,
      failure: { kind, detail: '', errors: [] },
    });
    expect(isTokenRefused(failed('unauthenticated'))).toBe(true);
    expect(isTokenRefused(failed('unreachable'))).toBe(false);
  });
});
