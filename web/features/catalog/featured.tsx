import { ask } from '@/graphql/client';
import { HomeDocument } from '@/graphql/generated';
import { SectionNotice } from '@/ui/notice';
import { ProductGrid } from './product-card';

export async function Featured() {
  const answer = await ask(HomeDocument, {});
  if (!answer.ok) return <SectionNotice>The counter cannot be shown right now.</SectionNotice>;
  return <ProductGrid products={answer.data.search.edges.map((edge) => edge.node)} />;
}
