import type { Metadata } from 'next';
import { Suspense } from 'react';
import { ProductList } from '@/features/catalog/product-list';
import {
  isNarrowed,
  readListState,
  toQueryString,
  type RawParams,
} from '@/features/catalog/search-params';
import { ProductGridSkeleton } from '@/ui/skeleton';

type Props = { searchParams: Promise<RawParams> };

export async function generateMetadata({ searchParams }: Props): Promise<Metadata> {
  const state = readListState(await searchParams);
  return {
    title: state.query ? `Search: ${state.query}` : 'All products',
    robots: state.query || isNarrowed(state) ? { index: false, follow: true } : undefined,
    alternates: { canonical: '/search' },
  };
}

export default async function SearchPage({ searchParams }: Props) {
  const state = readListState(await searchParams);
  return (
    <div className="shell py-8 md:py-12">
      <h1 className="mb-8 text-3xl md:text-4xl">
        {state.query ? <>Results for “{state.query}”</> : 'All products'}
      </h1>
      <Suspense key={toQueryString(state)} fallback={<ProductGridSkeleton count={8} />}>
        <ProductList state={state} action="/search" />
      </Suspense>
    </div>
  );
}
