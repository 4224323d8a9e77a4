'use server';
// Changes to the cart. The server's answer is the truth; the page is rendered again from it.
import { refresh } from 'next/cache';
import { ask } from '@/graphql/client';
import { failureText } from '@/graphql/errors';
import { CartLinesSetDocument } from '@/graphql/generated';
import { storeGuestCartId } from '@/lib/session/cookies';
import { cartAddress, type CartAddress } from './current';
import { quantityMax, readQuantity } from './lines';
import { heldQuantity } from './held';

export type CartFormState = { error: string | null; added: number };

/** Adds to what is already there: choosing 2 with 3 in the cart makes 5. */
export async function addToCart(state: CartFormState, form: FormData): Promise<CartFormState> {
  const productId = form.get('productId');
  const quantity = readQuantity(form.get('quantity'));
  if (typeof productId !== 'string' || !quantity) {
    return { error: 'Choose how many you want.', added: state.added };
  }
  const address = await cartAddress();
  const held = address ? await heldQuantity(address, productId) : 0;
  if (held === null) return { error: 'The cart is not answering. Try again.', added: state.added };
  const error = await setLine(address, productId, Math.min(quantityMax, held + quantity));
  if (!error) refresh();
  return error ? { error, added: state.added } : { error: null, added: state.added + quantity };
}

/** Sets the quantity of a line; 0 takes it out. */
export async function setQuantity(_: CartFormState, form: FormData): Promise<CartFormState> {
  const productId = form.get('productId');
  const quantity = readQuantity(form.get('quantity'));
  if (typeof productId !== 'string' || quantity === null) {
    return { error: `Choose a number from 0 to ${quantityMax}.`, added: 0 };
  }
  const error = await setLine(await cartAddress(), productId, quantity);
  if (!error) refresh();
  return { error, added: 0 };
}

/** Returns what to tell the visitor, or null when the cart is as asked. */
async function setLine(
  address: CartAddress | null,
  productId: string,
  quantity: number,
): Promise<string | null> {
  const answer = await ask(
    CartLinesSetDocument,
    { cartId: address?.id ?? null, lines: [{ productId, quantity }] },
    { token: address?.token },
  );
  if (!answer.ok) return failureText(answer.failure);
  const { cart, userErrors } = answer.data.cartLinesSet;
  if (userErrors[0]) return userErrors[0].message;
  if (!cart) return 'The cart is not answering. Try again.';
  if (!address?.token) await storeGuestCartId(cart.id);
  return null;
}
