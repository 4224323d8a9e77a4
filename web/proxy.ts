// Runs before every page, action and route handler: renews the session when it is due and sets the security
// headers. It is the only place that may renew, because a page that renders can no longer set a cookie.
import { NextResponse, type NextRequest } from 'next/server';
import { renew } from '@/features/auth/refresh';
import { contentSecurityPolicy } from '@/lib/csp';
import { sessionAttributes, sessionCookie } from '@/lib/session/cookies';
import { decodeSession, encodeSession, stateOf } from '@/lib/session/session';

/** What the cookie becomes: a new value, gone, or untouched. */
type CookieChange =
  | { kind: 'none' }
  | { kind: 'drop' }
  | { kind: 'set'; value: string; attributes: ReturnType<typeof sessionAttributes> };

export async function proxy(request: NextRequest): Promise<NextResponse> {
  const change = await sessionChange(request);
  if (change.kind === 'set') request.cookies.set(sessionCookie, change.value);
  if (change.kind === 'drop') request.cookies.delete(sessionCookie);
  if (needsSession(request) && !request.cookies.has(sessionCookie)) return toLogin(request);

  const nonce = Buffer.from(crypto.randomUUID()).toString('base64');
  const policy = contentSecurityPolicy(nonce, process.env.NODE_ENV === 'development');
  const headers = new Headers(request.headers);
  // The framework reads the nonce from here and puts it on its own scripts.
  headers.set('content-security-policy', policy);

  const response = NextResponse.next({ request: { headers } });
  response.headers.set('content-security-policy', policy);
  if (change.kind === 'set') response.cookies.set(sessionCookie, change.value, change.attributes);
  if (change.kind === 'drop') response.cookies.delete(sessionCookie);
  return response;
}

/**
 * Pages of someone signed in. They check again themselves; here the answer is still a plain redirect, because
 * no part of the page has been sent yet.
 */
const privatePages = /^\/(orders|checkout|account|seller|bookings|notifications)(\/|$)/;

function needsSession(request: NextRequest): boolean {
  return request.method === 'GET' && privatePages.test(request.nextUrl.pathname);
}

function toLogin(request: NextRequest): NextResponse {
  const { pathname, search } = request.nextUrl;
  const login = new URL('/login', request.url);
  login.searchParams.set('next', pathname + search);
  const response = NextResponse.redirect(login);
  response.cookies.delete(sessionCookie);
  return response;
}

async function sessionChange(request: NextRequest): Promise<CookieChange> {
  const text = request.cookies.get(sessionCookie)?.value;
  if (!text) return { kind: 'none' };
  const session = decodeSession(text);
  if (!session) return { kind: 'drop' };
  const nowMs = Date.now();
  const state = stateOf(session, nowMs);
  if (state === 'live') return { kind: 'none' };
  if (state === 'over') return { kind: 'drop' };
  const renewal = await renew(session);
  if (renewal.kind === 'renewed') {
    const { session: renewed } = renewal;
    return { kind: 'set', value: encodeSession(renewed), attributes: sessionAttributes(renewed) };
  }
  return renewal.kind === 'ended' ? { kind: 'drop' } : { kind: 'none' };
}

export const config = {
  matcher: [
    '/((?!_next/static|_next/image|images/|health|icon|apple-icon|favicon.ico|robots.txt).*)',
  ],
};
