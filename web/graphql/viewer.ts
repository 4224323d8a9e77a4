// Asking the gateway as the one who is signed in.
import 'server-only';
import { redirect } from 'next/navigation';
import { currentSession, wasSessionChecked } from '@/lib/session/cookies';
import type { Session } from '@/lib/session/session';
import { ask } from './client';
import { isTokenRefused, type Answer } from './errors';
import type { TypedDocumentString } from './generated';

/**
 * Asks with the session's token, or as a visitor when there is none.
 *
 * A token that is no longer taken (revoked, or signed by a key that is gone) would break every page, so the session is
 * renewed or ended and the page asked for again. Once: when a single service refuses a token that the others take, the
 * page is shown without its part.
 */
export async function askAsViewer<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  page = '/',
): Promise<Answer<Data>> {
  const session = await currentSession();
  const answer = await ask(document, variables, { token: session?.accessToken });
  if (session && isTokenRefused(answer) && !(await wasSessionChecked())) {
    redirect(`/session/ended?next=${encodeURIComponent(page)}`);
  }
  return answer;
}

/** The session, or a detour to the login page that comes back to `page`. */
export async function requireSession(page: string): Promise<Session> {
  const session = await currentSession();
  if (!session) redirect(`/login?next=${encodeURIComponent(page)}`);
  return session;
}
