// Ends a session whose token the gateway refuses, then goes back to the page that found out.
import { NextResponse, type NextRequest } from 'next/server';
import { ask } from '@/graphql/client';
import { CartCountDocument } from '@/graphql/generated';
import { safePath } from '@/lib/safe-path';
import { currentSession, dropSession } from '@/lib/session/cookies';

export async function GET(request: NextRequest): Promise<NextResponse> {
  const session = await currentSession();
  if (session) {
    // Any site can lead a browser here; only the gateway's refusal ends the session.
    const answer = await ask(CartCountDocument, { id: null }, { token: session.accessToken });
    if (!answer.ok && answer.failure.kind === 'unauthenticated') await dropSession();
  }
  // Relative on purpose: behind a proxy the address we were asked under is not the public one.
  const location = safePath(request.nextUrl.searchParams.get('next'));
  return new NextResponse(null, { status: 303, headers: { location } });
}
