import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import { randomUUID } from 'node:crypto';
import { cache } from 'react';
import { ListingView } from '@/features/listing/listing-view';
import { Resting } from '@/features/shell/resting';
import { isBroken } from '@/graphql/errors';
import { ListingPageDocument } from '@/graphql/generated';
import { askAsViewer } from '@/graphql/viewer';
import { currentSession } from '@/lib/session/cookies';

type Props = { params: Promise<{ id: string }> };

const listingPage = cache((id: string) =>
  askAsViewer(ListingPageDocument, { id }, `/listings/${encodeURIComponent(id)}`),
);

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { id } = await params;
  const answer = await listingPage(id);
  return {
    title: (answer.ok && answer.data.listing?.title) || 'Listing',
    alternates: { canonical: `/listings/${id}` },
  };
}

export default async function ListingRoute({ params }: Props) {
  const answer = await listingPage((await params).id);
  if (!answer.ok) {
    // An id that is none is refused as input, not answered with null.
    if (answer.failure.errors.some((error) => error.code === 'BAD_USER_INPUT')) notFound();
    return <Resting what="This listing" />;
  }
  const { listing } = answer.data;
  if (!listing) {
    if (isBroken(answer.errors, 'listing')) return <Resting what="This listing" />;
    notFound();
  }
  const session = await currentSession();
  const bidding = {
    isSignedIn: session !== null,
    viewerHandle: session?.viewer.sellerHandle ?? null,
    key: randomUUID(),
  };
  return <ListingView listing={listing} errors={answer.errors} bidding={bidding} />;
}
