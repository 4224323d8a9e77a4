// The live stream of one auction: bids for who is signed in (the own ones also while they wait), else its price.
import { BidLiveDocument, ListingLiveDocument } from '@/graphql/generated';
import { openStream } from '@/graphql/stream';
import { currentSession } from '@/lib/session/cookies';

export const dynamic = 'force-dynamic';

export async function GET(
  request: Request,
  { params }: { params: Promise<{ id: string }> },
): Promise<Response> {
  const [session, { id }] = [await currentSession(), await params];
  return session
    ? openStream(BidLiveDocument, { id }, session.accessToken, request.signal)
    : openStream(ListingLiveDocument, { id }, null, request.signal);
}
