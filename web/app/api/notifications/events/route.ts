// The live stream of what the viewer is told: the gateway's subscription, passed on under the session of the page.
import { NotificationsLiveDocument } from '@/graphql/generated';
import { openStream } from '@/graphql/stream';
import { currentSession } from '@/lib/session/cookies';

export const dynamic = 'force-dynamic';

export async function GET(request: Request): Promise<Response> {
  const session = await currentSession();
  // 204 tells an EventSource to stop asking.
  if (!session) return new Response(null, { status: 204 });
  return openStream(NotificationsLiveDocument, {}, session.accessToken, request.signal);
}
