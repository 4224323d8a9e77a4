// Ends a session whose token is refused, then goes back to the page that found out. Rights that changed are no
// reason to sign in again: a token made anew is tried first.
import { NextResponse, type NextRequest } from 'next/server';
import { renew } from '@/features/auth/refresh';
import { ask } from '@/graphql/client';
import { isTokenRefused } from '@/graphql/errors';
import { SessionProbeDocument } from '@/graphql/generated';
import { safePath } from '@/lib/safe-path';
import { currentSession, dropSession, storeSession } from '@/lib/session/cookies';

export async function GET(request: NextRequest): Promise<NextResponse> {
  const session = await currentSession();
  if (session) {
    // Any site can lead a browser here; only a refusal of the token ends the session.
    if (await isRefused(session.accessToken)) {
      const renewal = await renew(session);
      const isGood = renewal.kind === 'renewed' && !(await isRefused(renewal.session.accessToken));
      if (isGood) await storeSession(renewal.session);
      else if (renewal.kind !== 'unknown') await dropSession();
    }
  }
  // Relative on purpose: behind a proxy the address we were asked under is not the public one.
  const location = safePath(request.nextUrl.searchParams.get('next'));
  return new NextResponse(null, { status: 303, headers: { location } });
}

async function isRefused(token: string): Promise<boolean> {
  return isTokenRefused(await ask(SessionProbeDocument, {}, { token }));
}
