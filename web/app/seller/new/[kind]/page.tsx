import type { Metadata } from 'next';
import { notFound, redirect } from 'next/navigation';
import { randomUUID } from 'node:crypto';
import { LetterPage } from '@/features/auth/letter-page';
import { offerMeaning, readKind, type OfferKind } from '@/features/seller/kinds';
import { AuctionForm, FixedPriceForm, ServiceForm } from '@/features/seller/offer-forms';
import { FreeItemsDocument, OwnProductsDocument } from '@/graphql/generated';
import { askAsViewer, requireSession } from '@/graphql/viewer';

export const metadata: Metadata = { title: 'New offer', robots: { index: false } };

type Props = { params: Promise<{ kind: string }> };

export default async function NewOfferOfKindPage({ params }: Props) {
  const kind = readKind((await params).kind);
  if (!kind) notFound();
  const page = `/seller/new/${kind}`;
  const { viewer } = await requireSession(page);
  if (!viewer.sellerHandle) redirect('/seller');
  const { label, lead } = offerMeaning(kind);
  return (
    <LetterPage title={label} lead={lead}>
      <Form kind={kind} handle={viewer.sellerHandle} page={page} />
    </LetterPage>
  );
}

type FormProps = { kind: OfferKind; handle: string; page: string };

async function Form({ kind, handle, page }: FormProps) {
  const key = randomUUID();
  switch (kind) {
    case 'fixed-price':
      return <FixedPriceForm products={await productsOf(handle, page)} idempotencyKey={key} />;
    case 'tickets':
      return <FixedPriceForm products={[]} idempotencyKey={key} />;
    case 'auction':
      return <AuctionForm items={await freeItems(page)} idempotencyKey={key} />;
    case 'service':
      return <ServiceForm idempotencyKey={key} />;
  }
}

/** Without the product service an offer is of no product. */
async function productsOf(handle: string, page: string) {
  const answer = await askAsViewer(OwnProductsDocument, { handle }, page);
  const products = answer.ok ? answer.data.seller?.products : null;
  return products?.edges.map(({ node }) => ({ id: node.id, name: node.name })) ?? [];
}

async function freeItems(page: string) {
  const answer = await askAsViewer(FreeItemsDocument, {}, page);
  const items = answer.ok ? answer.data.me?.items : null;
  const free = items?.edges.filter(({ node }) => node.state !== 'LOCKED') ?? [];
  return free.map(({ node }) => ({ id: node.id, name: node.title }));
}
