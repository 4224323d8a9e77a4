// The live stream of one booking: the gateway's subscription, passed on under the session of the page.
import { BookingLiveDocument } from '@/graphql/generated';
import { openStream } from '@/graphql/stream';
import { currentSession } from '@/lib/session/cookies';

export const dynamic = 'force-dynamic';

export async function GET(
  request: Request,
  { params }: { params: Promise<{ id: string }> },
): Promise<Response> {
  const session = await currentSession();
  // 204 tells an EventSource to stop asking.
  if (!session) return new Response(null, { status: 204 });
  const { id } = await params;
  return openStream(BookingLiveDocument, { id }, session.accessToken, request.signal);
}
