import 'server-only';
import { ask } from '@/graphql/client';
import { CartLinesDocument } from '@/graphql/generated';
import type { CartAddress } from './current';
import { quantitiesOf } from './lines';

/** How many of a product are in the cart; null when that cannot be known right now. */
export async function heldQuantity(
  address: CartAddress,
  productId: string,
): Promise<number | null> {
  const answer = await ask(CartLinesDocument, { id: address.id }, { token: address.token });
  if (!answer.ok) return null;
  return quantitiesOf(answer.data.cart?.lines ?? []).get(productId) ?? 0;
}
