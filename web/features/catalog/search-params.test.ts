import { describe, expect, it } from 'vitest';
import {
  isNarrowed,
  readListState,
  readPriceRange,
  toFilter,
  toQueryString,
} from './search-params';

describe('product list address', () => {
  it('goes to a state and back unchanged', () => {
    const state = readListState({
      q: 'kopi',
      category: ['coffee', 'home'],
      min: '5',
      max: '20,5',
      stock: '1',
      sort: 'PRICE_ASC',
      after: 'abc',
    });
    const text = toQueryString(state);
    expect(text).toBe(
      '?q=kopi&category=coffee&category=home&min=5.00&max=20.50&stock=1&sort=PRICE_ASC&after=abc',
    );
    const params = new URLSearchParams(text);
    expect(
      readListState({
        ...Object.fromEntries(params),
        category: params.getAll('category'),
      }),
    ).toEqual(state);
  });

  it('ignores what makes no sense', () => {
    const state = readListState({
      sort: 'CHEAPEST',
      min: '-1',
      max: '1e9',
      category: '../etc',
      stock: 'yes',
    });
    expect(toQueryString(state)).toBe('');
    expect(isNarrowed(state)).toBe(false);
  });

  it('sends prices as decimal strings and leaves out what is not asked', () => {
    expect(toFilter(readListState({ min: '9.9', stock: '1' }))).toEqual({
      priceMin: '9.90',
      inStock: true,
    });
    expect(toFilter(readListState({}))).toEqual({});
  });

  it('takes the price ranges the service offers, and nothing else', () => {
    expect(readPriceRange('10.00..24.99')).toEqual({ priceMin: '10.00', priceMax: '24.99' });
    expect(readPriceRange('100.00..')).toEqual({ priceMin: '100.00', priceMax: '' });
    for (const value of ['', '..', '10', 'a..b', '1..2..3'])
      expect(readPriceRange(value)).toBeNull();
  });

  it('of a category page always stays within the category', () => {
    expect(toFilter(readListState({ category: 'books' }), 'coffee')).toEqual({
      categorySlugs: ['coffee'],
    });
  });

  it('is for search engines only while nothing narrows the list', () => {
    expect(isNarrowed(readListState({ q: 'tea' }))).toBe(false);
    expect(isNarrowed(readListState({ sort: 'NEWEST' }))).toBe(true);
  });
});
