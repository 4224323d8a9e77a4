// Names and attributes of our cookies, and the viewer of the current request.
import 'server-only';
import { cookies } from 'next/headers';
import { cache } from 'react';
import { cookiesSecure } from '../site';
import { decodeSession, encodeSession, type Session } from './session';

export const sessionCookie = 'kopitiam_session';
/** Its tokens were looked at because one service refused them; the session stays. */
const checkedCookie = 'kopitiam_checked';
export const guestCartCookie = 'kopitiam_cart';

const baseAttributes = { httpOnly: true, sameSite: 'lax', path: '/' } as const;

export function sessionAttributes(session: Session) {
  return {
    ...baseAttributes,
    secure: cookiesSecure(),
    expires: new Date(session.refreshExpiresMs),
  };
}

/** The session of this request, already renewed by the proxy when it was due; null for a visitor. */
export const currentSession = cache(async (): Promise<Session | null> => {
  const jar = await cookies();
  const session = decodeSession(jar.get(sessionCookie)?.value);
  return session && session.accessExpiresMs > Date.now() ? session : null;
});

export async function storeSession(session: Session): Promise<void> {
  (await cookies()).set(sessionCookie, encodeSession(session), sessionAttributes(session));
}

export async function dropSession(): Promise<void> {
  (await cookies()).delete(sessionCookie);
}

/**
 * Whether the session was looked at a moment ago, and kept. A service that refuses its token all the same would send
 * the browser round in circles.
 */
export async function wasSessionChecked(): Promise<boolean> {
  return (await cookies()).has(checkedCookie);
}

export async function markSessionChecked(): Promise<void> {
  (await cookies()).set(checkedCookie, '1', {
    ...baseAttributes,
    secure: cookiesSecure(),
    maxAge: 30,
  });
}

/** Id of the cart of someone not signed in; null when they have none yet. */
export async function guestCartId(): Promise<string | null> {
  return (await cookies()).get(guestCartCookie)?.value ?? null;
}

export async function storeGuestCartId(id: string): Promise<void> {
  (await cookies()).set(guestCartCookie, id, {
    ...baseAttributes,
    secure: cookiesSecure(),
    maxAge: 60 * 60 * 24 * 30,
  });
}

export async function dropGuestCartId(): Promise<void> {
  (await cookies()).delete(guestCartCookie);
}
