// The live stream of one listing: bids for who is signed in (the own ones also while they wait), else its price. What is
// no auction asks `?of=listing`.
import { BidLiveDocument, ListingLiveDocument } from '@/graphql/generated';
import { openStream } from '@/graphql/stream';
import { currentSession } from '@/lib/session/cookies';

export const dynamic = 'force-dynamic';

export async function GET(
  request: Request,
  { params }: { params: Promise<{ id: string }> },
): Promise<Response> {
  const [session, { id }] = [await currentSession(), await params];
  const bids = new URL(request.url).searchParams.get('of') !== 'listing';
  return session && bids
    ? openStream(BidLiveDocument, { id }, session.accessToken, request.signal)
    : openStream(ListingLiveDocument, { id }, session?.accessToken ?? null, request.signal);
}
