import 'server-only';
import { cache } from 'react';
import { isBroken, type PartError } from '@/graphql/errors';
import { ProductPageDocument, type ProductPageQuery } from '@/graphql/generated';
import { askAsViewer } from '@/graphql/viewer';

export type Product = NonNullable<ProductPageQuery['product']>;

/** `broken`: there may be such a product, but the service that knows did not answer. */
export type ProductPage =
  | { kind: 'found'; product: Product; errors: PartError[] }
  | { kind: 'missing' }
  | { kind: 'broken' };

/** Asked once per request, for the page and its metadata. */
export const productPage = cache(async (slug: string): Promise<ProductPage> => {
  const answer = await askAsViewer(
    ProductPageDocument,
    { slug, reviews: 5 },
    `/products/${encodeURIComponent(slug)}`,
  );
  if (!answer.ok) return { kind: 'broken' };
  const { product } = answer.data;
  if (product) return { kind: 'found', product, errors: answer.errors };
  return isBroken(answer.errors, 'product') ? { kind: 'broken' } : { kind: 'missing' };
});
