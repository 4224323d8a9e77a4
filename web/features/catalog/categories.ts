import 'server-only';
import { cache } from 'react';
import { ask } from '@/graphql/client';
import { CategoriesDocument, type CategoriesQuery } from '@/graphql/generated';

export type Category = CategoriesQuery['categories'][number];

/** All categories, asked once per request; empty when the product service is away. */
export const categories = cache(async (): Promise<Category[]> => {
  const answer = await ask(CategoriesDocument, {});
  return answer.ok ? answer.data.categories : [];
});
