import Link from 'next/link';
import { SearchDocument } from '@/graphql/generated';
import { askAsViewer } from '@/graphql/viewer';
import { Empty } from '@/ui/empty';
import { Icon } from '@/ui/icon';
import { SectionNotice } from '@/ui/notice';
import { Filters } from './filters';
import { ProductGrid } from './product-card';
import { pageSize, toFilter, toQueryString, type ListState } from './search-params';

type ProductListProps = { state: ListState; action: string; category?: string };

/** Filters, the products they leave, and the way to the next page. */
export async function ProductList({ state, action, category }: ProductListProps) {
  const answer = await askAsViewer(SearchDocument, {
    query: state.query || null,
    filter: toFilter(state, category),
    sort: state.sort,
    first: pageSize,
    after: state.after,
  });
  if (!answer.ok)
    return (
      <SectionNotice>
        Products cannot be shown right now. Please try again in a minute.
      </SectionNotice>
    );
  const { totalCount, facets, edges, pageInfo } = answer.data.search;
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[17rem_minmax(0,1fr)] lg:gap-10">
      <Filters state={state} facets={facets} action={action} withCategories={!category} />
      <div className="grid gap-6">
        <h2 className="font-sans text-base font-normal tracking-normal text-muted">
          {totalCount} {totalCount === 1 ? 'product' : 'products'}
        </h2>
        {edges.length > 0 ? (
          <ProductGrid products={edges.map((edge) => edge.node)} />
        ) : (
          <Empty title="Nothing on the table" action={{ href: '/search', label: 'See everything' }}>
            Try a shorter word, fewer filters, or have a look around the stalls.
          </Empty>
        )}
        <Pages state={state} action={action} pageInfo={pageInfo} />
      </div>
    </div>
  );
}

type PagesProps = {
  state: ListState;
  action: string;
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
};

function Pages({ state, action, pageInfo }: PagesProps) {
  const next = pageInfo.hasNextPage && pageInfo.endCursor;
  if (!next && !state.after) return null;
  return (
    <nav aria-label="Pages" className="flex flex-wrap justify-between gap-3">
      {state.after ? (
        <Link
          className="button button-quiet"
          href={action + toQueryString({ ...state, after: null })}
        >
          First page
        </Link>
      ) : (
        <span />
      )}
      {next ? (
        <Link
          className="button button-quiet"
          rel="next"
          href={action + toQueryString({ ...state, after: next })}
        >
          Next page <Icon name="arrow" />
        </Link>
      ) : null}
    </nav>
  );
}
