import type { Metadata } from 'next';
import Link from 'next/link';
import { notFound } from 'next/navigation';
import { Suspense } from 'react';
import { categoryPage } from '@/features/catalog/category';
import { ProductList } from '@/features/catalog/product-list';
import {
  isNarrowed,
  readListState,
  toQueryString,
  type RawParams,
} from '@/features/catalog/search-params';
import { ProductGridSkeleton } from '@/ui/skeleton';

type Props = { params: Promise<{ slug: string }>; searchParams: Promise<RawParams> };

export async function generateMetadata({ params, searchParams }: Props): Promise<Metadata> {
  const { slug } = await params;
  const page = await categoryPage(slug);
  return {
    title: page.kind === 'found' ? page.category.name : 'Category',
    robots: isNarrowed(readListState(await searchParams))
      ? { index: false, follow: true }
      : undefined,
    alternates: { canonical: `/c/${slug}` },
  };
}

export default async function CategoryPage({ params, searchParams }: Props) {
  const { slug } = await params;
  const page = await categoryPage(slug);
  if (page.kind === 'missing') notFound();
  const state = readListState(await searchParams);
  const category = page.kind === 'found' ? page.category : null;
  return (
    <div className="shell py-8 md:py-12">
      <nav aria-label="Breadcrumb" className="mb-3 text-sm text-muted">
        <Link href="/search" className="hover:underline">
          All products
        </Link>
        {category?.parent ? (
          <>
            {' / '}
            <Link href={`/c/${category.parent.slug}`} className="hover:underline">
              {category.parent.name}
            </Link>
          </>
        ) : null}
      </nav>
      <h1 className="mb-8 text-3xl md:text-4xl">{category?.name ?? slug}</h1>
      <Suspense key={toQueryString(state)} fallback={<ProductGridSkeleton count={8} />}>
        <ProductList state={state} action={`/c/${slug}`} category={slug} />
      </Suspense>
    </div>
  );
}
