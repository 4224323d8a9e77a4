// The state of a product list lives in its address: everything here reads it from there or writes it back. Pure.
import type { ProductFilter, ProductSort } from '@/graphql/generated';

export type RawParams = Record<string, string | string[] | undefined>;

export type ListState = {
  query: string;
  categories: string[];
  priceMin: string;
  priceMax: string;
  inStock: boolean;
  sort: ProductSort;
  after: string | null;
};

export const pageSize = 24;

export const sorts: { value: ProductSort; label: string }[] = [
  { value: 'RELEVANCE', label: 'Best match' },
  { value: 'NEWEST', label: 'Newest' },
  { value: 'PRICE_ASC', label: 'Price, low to high' },
  { value: 'PRICE_DESC', label: 'Price, high to low' },
  { value: 'RATING', label: 'Best rated' },
];

/** Reads an address someone may have typed: what makes no sense is left out, never an error. */
export function readListState(params: RawParams): ListState {
  const sort = sorts.find(({ value }) => value === one(params.sort))?.value ?? 'RELEVANCE';
  return {
    query: one(params.q).trim().slice(0, 200),
    categories: many(params.category).filter((slug) => /^[a-z0-9-]{1,80}$/.test(slug)),
    priceMin: readPrice(one(params.min)),
    priceMax: readPrice(one(params.max)),
    inStock: one(params.stock) === '1',
    sort,
    after: one(params.after) || null,
  };
}

/** The filter the product service understands; prices stay decimal strings. */
export function toFilter(state: ListState, withinCategory?: string): ProductFilter {
  const categorySlugs = withinCategory ? [withinCategory] : state.categories;
  return {
    ...(categorySlugs.length > 0 ? { categorySlugs } : {}),
    ...(state.priceMin ? { priceMin: state.priceMin } : {}),
    ...(state.priceMax ? { priceMax: state.priceMax } : {}),
    ...(state.inStock ? { inStock: true } : {}),
  };
}

/** The query string of a state; defaults are left out, so equal lists have equal addresses. */
export function toQueryString(state: ListState): string {
  const params = new URLSearchParams();
  if (state.query) params.set('q', state.query);
  for (const slug of state.categories) params.append('category', slug);
  if (state.priceMin) params.set('min', state.priceMin);
  if (state.priceMax) params.set('max', state.priceMax);
  if (state.inStock) params.set('stock', '1');
  if (state.sort !== 'RELEVANCE') params.set('sort', state.sort);
  if (state.after) params.set('after', state.after);
  const text = params.toString();
  return text ? `?${text}` : '';
}

/** Whether anything narrows the list; such addresses are not for search engines. */
export function isNarrowed(state: ListState): boolean {
  return (
    state.categories.length > 0 ||
    state.priceMin !== '' ||
    state.priceMax !== '' ||
    state.inStock ||
    state.sort !== 'RELEVANCE' ||
    state.after !== null
  );
}

/** Reads a price facet such as `10.00..24.99` or `100.00..`; null when it is none. */
export function readPriceRange(value: string): { priceMin: string; priceMax: string } | null {
  const [low, high, ...rest] = value.split('..');
  if (low === undefined || high === undefined || rest.length > 0) return null;
  const range = { priceMin: readPrice(low), priceMax: readPrice(high) };
  const readable = (text: string, price: string) => text === '' || price !== '';
  return readable(low, range.priceMin) && readable(high, range.priceMax) && value !== '..'
    ? range
    : null;
}

function readPrice(text: string): string {
  const match = /^(\d{1,9})(?:[.,](\d{1,2}))?$/.exec(text.trim());
  if (!match) return '';
  return match[2] ? `${match[1]}.${match[2].padEnd(2, '0')}` : `${match[1]}.00`;
}

function one(value: string | string[] | undefined): string {
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

function many(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
