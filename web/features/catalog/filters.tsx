import Link from 'next/link';
import type { SearchQuery } from '@/graphql/generated';
import { Icon } from '@/ui/icon';
import { isNarrowed, readPriceRange, sorts, toQueryString, type ListState } from './search-params';

type Facets = SearchQuery['search']['facets'];

type FiltersProps = {
  state: ListState;
  facets: Facets;
  /** Where the form goes: `/search`, or the page of a category. */
  action: string;
  /** A category page is one category already, so it offers none. */
  withCategories: boolean;
};

/** A plain GET form: works without scripts, and every filter ends up in the address. */
export function Filters({ state, facets, action, withCategories }: FiltersProps) {
  const categoryFacet = withCategories ? facets.find(({ key }) => isCategoryKey(key)) : undefined;
  return (
    <details className="filters card group p-4 lg:p-5">
      <summary className="flex list-none lg:pointer-events-none items-center justify-between font-semibold lg:text-lg [&::-webkit-details-marker]:hidden">
        <span>
          Filter and sort
          {isNarrowed(state) ? <span className="text-muted"> (active)</span> : null}
        </span>
        <Icon name="plus" className="size-5 group-open:rotate-45 lg:hidden" />
      </summary>
      <form action={action} className="mt-4 grid gap-6">
        {state.query ? <input type="hidden" name="q" value={state.query} /> : null}
        <SortChoice sort={state.sort} />
        {categoryFacet && categoryFacet.values.length > 0 ? (
          <CategoryChoice facet={categoryFacet} chosen={state.categories} />
        ) : null}
        <PriceRange
          state={state}
          action={action}
          facet={facets.find(({ key }) => key.toLowerCase() === 'price')}
        />
        <label className="flex items-center gap-3">
          <input
            type="checkbox"
            name="stock"
            value="1"
            defaultChecked={state.inStock}
            className="size-5 accent-roast"
          />
          In stock only
        </label>
        <div className="flex flex-wrap gap-3">
          <button type="submit" className="button button-primary flex-1">
            Apply
          </button>
          {isNarrowed(state) ? (
            <Link
              href={state.query ? `${action}?q=${encodeURIComponent(state.query)}` : action}
              className="button button-quiet"
            >
              Clear
            </Link>
          ) : null}
        </div>
      </form>
    </details>
  );
}

function isCategoryKey(key: string): boolean {
  return key.toLowerCase().startsWith('categor');
}

function SortChoice({ sort }: { sort: ListState['sort'] }) {
  return (
    <div className="grid gap-1.5">
      <label htmlFor="sort" className="text-sm font-semibold">
        Sort by
      </label>
      <select id="sort" name="sort" defaultValue={sort} className="field">
        {sorts.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </div>
  );
}

function CategoryChoice({ facet, chosen }: { facet: Facets[number]; chosen: string[] }) {
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-2 text-sm font-semibold">{facet.label}</legend>
      {facet.values.map((value) => (
        <label key={value.value} className="flex items-center gap-3">
          <input
            type="checkbox"
            name="category"
            value={value.value}
            defaultChecked={value.selected || chosen.includes(value.value)}
            className="size-5 accent-roast"
          />
          <span className="flex-1">{value.label}</span>
          <span className="text-sm text-muted">{value.count}</span>
        </label>
      ))}
    </fieldset>
  );
}

type PriceRangeProps = { state: ListState; action: string; facet: Facets[number] | undefined };

function PriceRange({ state, action, facet }: PriceRangeProps) {
  return (
    <fieldset>
      <legend className="mb-2 text-sm font-semibold">Price in USD</legend>
      <div className="grid grid-cols-2 gap-3">
        <input
          name="min"
          aria-label="Lowest price"
          placeholder="from"
          inputMode="decimal"
          defaultValue={state.priceMin}
          className="field"
        />
        <input
          name="max"
          aria-label="Highest price"
          placeholder="to"
          inputMode="decimal"
          defaultValue={state.priceMax}
          className="field"
        />
      </div>
      <ul className="mt-3 flex flex-wrap gap-2">
        {facet?.values.map(({ value, label, count }) => {
          const range = readPriceRange(value);
          if (!range) return null;
          const chosen = range.priceMin === state.priceMin && range.priceMax === state.priceMax;
          return (
            <li key={value}>
              <Link
                href={action + toQueryString({ ...state, ...range, after: null })}
                aria-current={chosen ? 'true' : undefined}
                className={`chip min-h-6 border ${chosen ? 'border-roast bg-roast-soft' : 'border-line hover:bg-raised'}`}
              >
                {label} <span className="font-normal text-muted">{count}</span>
              </Link>
            </li>
          );
        })}
      </ul>
    </fieldset>
  );
}
