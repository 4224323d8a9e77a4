// What a visitor put in the cart comes along when they sign in.
import 'server-only';
import { ask } from '@/graphql/client';
import { CartLinesSetDocument } from '@/graphql/generated';
import { dropGuestCartId, guestCartId } from '@/lib/session/cookies';
import type { Session } from '@/lib/session/session';

/**
 * Hands the guest's cart to the order service under the new session; it adds the lines to the viewer's own cart.
 * A failure never stops signing in: the cookie then stays, and the next sign-in tries again.
 */
export async function mergeGuestCart(session: Session): Promise<void> {
  const cartId = await guestCartId();
  if (!cartId) return;
  const answer = await ask(
    CartLinesSetDocument,
    { cartId, lines: [] },
    { token: session.accessToken },
  );
  if (answer.ok) await dropGuestCartId();
}
