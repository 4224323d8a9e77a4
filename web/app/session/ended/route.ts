// Ends a session whose token is refused, then goes back to the page that found out. Rights that changed are no
// reason to sign in again: a token made anew is tried first.
import { NextResponse, type NextRequest } from 'next/server';
import { renew } from '@/features/auth/refresh';
import { ask } from '@/graphql/client';
import { isTokenRefused } from '@/graphql/errors';
import { SessionProbeDocument } from '@/graphql/generated';
import { safePath } from '@/lib/safe-path';
import type { Session } from '@/lib/session/session';
import {
  currentSession,
  dropSession,
  markSessionChecked,
  storeSession,
} from '@/lib/session/cookies';

export async function GET(request: NextRequest): Promise<NextResponse> {
  // The client router would keep the address of this detour for the page that it leads to. A body that it cannot
  // read makes it load the address as a document instead.
  if (isAskedByRouter(request)) {
    return new NextResponse(null, {
      headers: { 'content-type': 'text/html', 'cache-control': 'no-store' },
    });
  }
  const session = await currentSession();
  if (session) {
    // Any site can lead a browser here; only a refusal of the token ends the session.
    if (await isKept(session)) await markSessionChecked();
    else await dropSession();
  }
  // Relative on purpose: behind a proxy the address we were asked under is not the public one.
  const location = safePath(request.nextUrl.searchParams.get('next'));
  return new NextResponse(null, { status: 303, headers: { location } });
}

function isAskedByRouter(request: NextRequest): boolean {
  return request.headers.has('rsc') || request.headers.get('sec-fetch-dest') === 'empty';
}

/** Whether the session goes on: its token is taken, or a new one, or nobody knows. */
async function isKept(session: Session): Promise<boolean> {
  if (!(await isRefused(session.accessToken))) return true;
  const renewal = await renew(session);
  if (renewal.kind !== 'renewed') return renewal.kind === 'unknown';
  if (await isRefused(renewal.session.accessToken)) return false;
  await storeSession(renewal.session);
  return true;
}

async function isRefused(token: string): Promise<boolean> {
  return isTokenRefused(await ask(SessionProbeDocument, {}, { token }));
}
