import 'server-only';
import { cache } from 'react';
import { ask } from '@/graphql/client';
import { isBroken } from '@/graphql/errors';
import { CategoryPageDocument, type CategoryPageQuery } from '@/graphql/generated';

type CategoryPage =
  | { kind: 'found'; category: NonNullable<CategoryPageQuery['category']> }
  | { kind: 'missing' }
  | { kind: 'broken' };

export const categoryPage = cache(async (slug: string): Promise<CategoryPage> => {
  const answer = await ask(CategoryPageDocument, { slug });
  if (!answer.ok) return { kind: 'broken' };
  if (answer.data.category) return { kind: 'found', category: answer.data.category };
  return isBroken(answer.errors, 'category') ? { kind: 'broken' } : { kind: 'missing' };
});
