// A subscription of the gateway under the session of the page, for what somebody has to be signed in to watch.
import 'server-only';
import { currentSession } from '@/lib/session/cookies';
import type { TypedDocumentString } from './generated';
import { openStream } from './stream';

export async function openOwnStream<Data, Variables>(
  request: Request,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Response> {
  const session = await currentSession();
  // 204 tells an EventSource to stop asking.
  if (!session) return new Response(null, { status: 204 });
  return openStream(document, variables, session.accessToken, request.signal);
}
