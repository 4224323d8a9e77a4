// Which cart belongs to this request: the viewer's own, or the guest's by cookie.
import 'server-only';
import { cache } from 'react';
import { ask } from '@/graphql/client';
import { CartCountDocument } from '@/graphql/generated';
import { currentSession, guestCartId } from '@/lib/session/cookies';

/** `id` names the guest's cart; null means the cart of whoever the token says. */
export type CartAddress = { id: string | null; token: string | null };

/** Null for a visitor who has put nothing in a cart yet. */
export async function cartAddress(): Promise<CartAddress | null> {
  const session = await currentSession();
  if (session) return { id: null, token: session.accessToken };
  const id = await guestCartId();
  return id ? { id, token: null } : null;
}

/** Pieces in the cart, for the badge; null when that is not known right now. */
export const cartCount = cache(async (): Promise<number | null> => {
  const address = await cartAddress();
  if (!address) return 0;
  const answer = await ask(CartCountDocument, { id: address.id }, { token: address.token });
  if (!answer.ok) return null;
  return answer.data.cart?.lines.reduce((sum, line) => sum + line.quantity, 0) ?? 0;
});
